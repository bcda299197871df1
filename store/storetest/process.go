package storetest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/store"
)

// Open opens the store in a directory.
type Open func(ctx context.Context, dir string) (store.Store, error)

// roleVariable makes a test binary play a second process: its value is a role
// and its arguments, separated by newlines.
const roleVariable = "DESKHAND_STORETEST_ROLE"

// Main is what TestMain calls: it runs the tests with run, or plays a role as
// the second process that a test has started.
func Main(open Open, run func()) {
	args := strings.Split(os.Getenv(roleVariable), "\n")
	if args[0] == "" {
		run()
		return
	}
	if err := play(context.Background(), open, args[0], args[1:]); err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}

// roles are what a second process does with a store. Each prints a line when it
// has come as far as the test wants.
var roles = map[string]func(ctx context.Context, st store.Store, args []string) error{
	// append TASK N appends N notes.
	"append": func(ctx context.Context, st store.Store, args []string) error {
		n, err := strconv.Atoi(args[1])
		for i := 0; i < n && err == nil; i++ {
			_, err = st.Append(ctx, deskhand.NewEvent(deskhand.TaskID(args[0]), deskhand.KindNote, deskhand.Note{Text: fmt.Sprint("from afar ", i)}))
		}
		fmt.Println("appended")
		return err
	},
	// chatter TASK appends notes for ever and prints the seq of each once it is stored.
	"chatter": func(ctx context.Context, st store.Store, args []string) error {
		for {
			out, err := st.Append(ctx, deskhand.NewEvent(deskhand.TaskID(args[0]), deskhand.KindNote, deskhand.Note{Text: "on and on"}))
			if err != nil {
				return err
			}
			fmt.Println(out[0].Seq)
		}
	},
	// told TASK appends a note of as many letters as each line of standard input
	// says, and prints its seq once it is stored.
	"told": func(ctx context.Context, st store.Store, args []string) error {
		lines := bufio.NewScanner(os.Stdin)
		for lines.Scan() {
			letters, err := strconv.Atoi(lines.Text())
			if err != nil {
				return err
			}
			out, err := st.Append(ctx, deskhand.NewEvent(deskhand.TaskID(args[0]), deskhand.KindNote, deskhand.Note{Text: strings.Repeat("x", letters)}))
			if err != nil {
				return err
			}
			fmt.Println(out[0].Seq)
		}
		return lines.Err()
	},
	// lease TASK holds the lease until standard input ends.
	"lease": func(ctx context.Context, st store.Store, args []string) error {
		_, err := st.Lease(ctx, deskhand.TaskID(args[0]))
		if err == nil {
			fmt.Println("held")
			io.Copy(io.Discard, os.Stdin)
		}
		return err
	},
	// blob TEXT stores a blob and waits to be killed before an event names it.
	"blob": func(ctx context.Context, st store.Store, args []string) error {
		h, err := st.PutBlob(ctx, []byte(args[0]))
		if err == nil {
			fmt.Println(h)
			io.Copy(io.Discard, os.Stdin)
		}
		return err
	},
	// fill TASK appends pictures and events until that fails.
	"fill": func(ctx context.Context, st store.Store, args []string) error {
		for i := 0; ; i++ {
			big := strings.Repeat(fmt.Sprint(i%10), 50_000)
			if _, err := st.Append(ctx, deskhand.NewEvent(deskhand.TaskID(args[0]), deskhand.KindNote, deskhand.Note{Text: big})); err != nil {
				return err
			}
			if _, err := st.PutBlob(ctx, []byte(fmt.Sprint(i, big))); err != nil {
				return err
			}
		}
	},
	// open does nothing more.
	"open": func(context.Context, store.Store, []string) error {
		fmt.Println("opened")
		return nil
	},
}

func play(ctx context.Context, open Open, role string, args []string) error {
	st, err := open(ctx, args[0])
	if err != nil {
		return err
	}
	return errors.Join(roles[role](ctx, st, args[1:]), st.Close())
}

// Process is a second process that uses a store.
type Process struct {
	t     *testing.T
	cmd   *exec.Cmd
	out   *bufio.Reader
	stdin io.WriteCloser
	last  string // line read
}

// Start starts a second process in a role. wrap is a command line that runs the
// one that is appended to it; usually empty.
func Start(t *testing.T, wrap []string, role string, args ...string) *Process {
	t.Helper()
	line := append(wrap, os.Args[0])
	cmd := exec.CommandContext(t.Context(), line[0], line[1:]...)
	cmd.Env = append(os.Environ(), roleVariable+"="+strings.Join(append([]string{role}, args...), "\n"))
	cmd.Stderr = os.Stderr
	stdin, errIn := cmd.StdinPipe()
	stdout, errOut := cmd.StdoutPipe()
	if err := errors.Join(errIn, errOut); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("a second process cannot be started: %v", err)
	}
	p := &Process{t: t, cmd: cmd, out: bufio.NewReader(stdout), stdin: stdin}
	t.Cleanup(p.Kill)
	return p
}

// Say writes a line to the process.
func (p *Process) Say(words ...any) {
	p.t.Helper()
	if _, err := fmt.Fprintln(p.stdin, words...); err != nil {
		p.t.Fatalf("the second process does not listen: %v", err)
	}
}

// Line returns the next line that the process prints.
func (p *Process) Line() string {
	p.t.Helper()
	line, err := p.out.ReadString('\n')
	if err != nil && line == "" {
		p.t.Fatalf("the second process ended without a word: %v", err)
	}
	p.last = strings.TrimSpace(line)
	return p.last
}

// LastLine kills the process and returns the last whole line it printed.
func (p *Process) LastLine() string {
	p.t.Helper()
	p.cmd.Process.Kill()
	for {
		line, err := p.out.ReadString('\n')
		if err != nil {
			p.Kill()
			return p.last
		}
		p.last = strings.TrimSpace(line)
	}
}

// Kill kills the process with SIGKILL and waits for it.
func (p *Process) Kill() {
	if p.cmd.ProcessState == nil {
		p.cmd.Process.Kill()
		_ = p.cmd.Wait() // it was killed
	}
}

// End lets the process come to its end.
func (p *Process) End() {
	p.t.Helper()
	p.stdin.Close()
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("the second process: %v", err)
	}
}
