package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/procfs"
	"github.com/deskhand/deskhand/machine"
	"github.com/deskhand/deskhand/model/script"
)

// comingDesktop makes the directory of a desktop that is coming up, as the
// process that brings it up sees it: reserved long ago, its log locked.
func comingDesktop(t *testing.T) (d desktops, name string, log *os.File) {
	t.Helper()
	d = desktops{t.TempDir()}
	name, err := d.reserve("")
	if err != nil {
		t.Fatal(err)
	}
	if log, err = os.Create(d.path(name, logFile)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	if err := unix.Flock(int(log.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-2 * reserved)
	if err := os.Chtimes(filepath.Join(d.dir, name), old, old); err != nil {
		t.Fatal(err)
	}
	return d, name, log
}

// wantCode fails the test when an error has another code.
func wantCode(t *testing.T, what string, err error, code deskhand.Code) {
	t.Helper()
	if got := deskhand.CodeOf(err); got != code {
		t.Errorf("%s: %q (%v), want %q", what, got, err, code)
	}
}

// gone fails the test when a desktop's directory is still there.
func (d desktops) gone(t *testing.T, name string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(d.dir, name)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is left of %s is still there: %v", name, err)
	}
}

// TestComingUp: a desktop is coming up while its log is locked, and for a while
// after its directory was made. What is left after that is cleared away.
func TestComingUp(t *testing.T) {
	t.Parallel()
	d, name, log := comingDesktop(t)
	if !d.comingUp(name) {
		t.Error("a desktop whose log is locked is not coming up")
	}
	_, err := d.get(name)
	wantCode(t, "a desktop that is coming up", err, deskhand.Unavailable)
	if _, err := d.reserve(name); deskhand.CodeOf(err) != deskhand.Conflict {
		t.Errorf("its name is given away: %v", err)
	}
	log.Close()
	if d.comingUp(name) {
		t.Error("an old directory with a log that nobody has is coming up")
	}
	_, err = d.get(name)
	wantCode(t, "a desktop whose process died as it came up", err, deskhand.NotFound)
	d.gone(t, name)
	if d.comingUp(name) {
		t.Error("a desktop without a directory is coming up")
	}
	if err := d.make(name); err != nil {
		t.Fatal(err)
	}
	if !d.comingUp(name) {
		t.Error("a desktop whose directory was just made is not coming up")
	}
}

// TestAwait waits for a desktop to come up, for the end of the process that
// brings it up, and no longer than who asks does.
func TestAwait(t *testing.T) {
	t.Parallel()
	self, err := procfs.Read(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		then func(t *testing.T, d desktops, name string, log *os.File, giveUp func())
		code deskhand.Code
	}{
		"it comes up": {func(t *testing.T, d desktops, name string, _ *os.File, _ func()) {
			if err := d.publish(held{Name: name, PID: self.PID, Start: self.Start}); err != nil {
				t.Error(err)
			}
		}, ""},
		"its process dies":  {func(_ *testing.T, _ desktops, _ string, log *os.File, _ func()) { log.Close() }, deskhand.NotFound},
		"who asks gives up": {func(_ *testing.T, _ desktops, _ string, _ *os.File, giveUp func()) { giveUp() }, deskhand.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, name, log := comingDesktop(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			happened := make(chan struct{})
			time.AfterFunc(4*lookEvery, func() { // so that it has been looked for in vain
				defer close(happened)
				tt.then(t, d, name, log, cancel)
			})
			h, err := d.await(ctx, name)
			select {
			case <-happened:
			default:
				t.Error("it was not waited for")
			}
			<-happened
			wantCode(t, "the desktop", err, tt.code)
			if err == nil && h.Name != name {
				t.Errorf("it is %+v", h)
			}
			if tt.code == deskhand.NotFound {
				d.gone(t, name)
			}
		})
	}
}

// TestAttachToTheDying: a desktop whose guest was killed takes connections and
// closes them until the process that keeps it up has noticed. That is waited
// for, and then there is no desktop any more.
func TestAttachToTheDying(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	a := newApp(strings.NewReader(""), new(bytes.Buffer), new(bytes.Buffer), func(name string) string {
		return map[string]string{"DESKHAND_HOME": home}[name]
	})
	d, err := a.desktops()
	if err != nil {
		t.Fatal(err)
	}
	task := deskhand.Task{ID: deskhand.NewTaskID(), Screen: deskhand.Size{W: 640, H: 480}, Scale: 1}
	name, err := d.reserve(desktopOf(task.ID))
	if err != nil {
		t.Fatal(err)
	}
	keeper := exec.CommandContext(t.Context(), "sleep", "infinity")
	if err := keeper.Start(); err != nil {
		t.Fatal(err)
	}
	self, err := procfs.Read(keeper.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	l, err := d.listen(name, socketFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.publish(held{Name: name, PID: self.PID, Start: self.Start, Size: task.Screen}); err != nil {
		t.Fatal(err)
	}
	tried := make(chan int)
	go func() {
		n := 0
		for {
			c, err := l.Accept()
			if err != nil {
				tried <- n
				return
			}
			if n++; n == 1 {
				_ = keeper.Process.Kill()
				_ = keeper.Wait() // it was killed
			}
			c.Close()
		}
	}()
	got, err := computers{app: a}.attach(t.Context(), task, machine.Config{Screen: task.Screen, Scale: 1})
	if got != nil || err != nil {
		t.Errorf("attached to %v, %v", got, err)
	}
	l.Close()
	if n := <-tried; n == 0 {
		t.Error("the desktop was not tried")
	}
	d.gone(t, name)
}

// gate is an API that answers only once it is let.
type gate struct {
	script *script.Server
	let    chan struct{}
}

func (g gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case <-g.let:
		g.script.ServeHTTP(w, r)
	case <-r.Context().Done():
	}
}

// strike sends a signal to a process.
func strike(t *testing.T, p procfs.Process, sig unix.Signal) {
	t.Helper()
	h, err := procfs.Open(p)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(h.Signal(sig), h.Close()); err != nil {
		t.Fatal(err)
	}
}

// below returns the process under root whose command line has these words side
// by side, and waits for it.
func below(t *testing.T, root int, words ...string) procfs.Process {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), holdLimit, fmt.Errorf("no process %q came within %s", words, holdLimit))
	defer cancel()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	want := "\x00" + strings.Join(words, "\x00") + "\x00"
	for {
		all, err := procfs.List()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range procfs.Below(all, root) {
			line, _ := os.ReadFile("/proc/" + strconv.Itoa(p.PID) + "/cmdline")
			if bytes.Contains(line, []byte(want)) {
				return p
			}
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			t.Fatal(context.Cause(ctx))
		}
	}
}

// TestResumeOnKeptDesktop kills what drives a task with --keep, and what keeps
// its desktop up or is on it, and resumes the task.
func TestResumeOnKeptDesktop(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		until deskhand.Kind // the newest event at the death
		kill  func(t *testing.T, d desktops, run procfs.Process, desktop string)
	}{
		"the holder is killed as it comes up": {deskhand.KindTaskStatus, func(t *testing.T, d desktops, run procfs.Process, desktop string) {
			holder := below(t, run.PID, "desktop", "hold")
			strike(t, holder, unix.SIGSTOP) // so that it does not come further
			strike(t, run, unix.SIGKILL)
			if _, err := d.get(desktop); deskhand.CodeOf(err) != deskhand.Unavailable {
				t.Fatalf("the desktop is not coming up: %v", err)
			}
			strike(t, holder, unix.SIGKILL)
		}},
		"the guest is killed": {deskhand.KindComputerReady, func(t *testing.T, d desktops, run procfs.Process, desktop string) {
			h, err := d.get(desktop)
			if err != nil {
				t.Fatal(err)
			}
			guest := below(t, h.PID, "guest")
			strike(t, run, unix.SIGKILL)
			strike(t, guest, unix.SIGKILL)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, err := script.New([]byte("-- model --\nbash {\"command\": \"echo hello\"}\n-- expect --\ncontains \"hello\"\n-- model --\nIt said hello.\n"), script.Options{})
			if err != nil {
				t.Fatal(err)
			}
			api := gate{server, make(chan struct{})}
			served := httptest.NewServer(api)
			defer served.Close()
			home := t.TempDir()
			d := desktops{filepath.Join(home, "state", "desktops")}
			defer endDesktops(d)
			command := func(args ...string) *exec.Cmd {
				program, err := exec.LookPath("deskhand") // this test binary
				if err != nil {
					t.Fatal(err)
				}
				c := exec.CommandContext(t.Context(), program, args...)
				c.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "DESKHAND_HOME=" + filepath.Dir(d.dir), "LANG=C.UTF-8", "ANTHROPIC_BASE_URL=" + served.URL, "ANTHROPIC_API_KEY=sk-held"}
				return c
			}
			run := command("run", "--keep", "--permission", "trust", "--size", "640x480", "--output", "stream-json", "say hello")
			id := readUntil(t, run, tt.until)
			one, err := procfs.Read(run.Process.Pid)
			if err != nil {
				t.Fatal(err)
			}
			tt.kill(t, d, one, desktopOf(id))
			_ = run.Wait() // it was killed
			close(api.let)
			out, err := command("task", "resume", string(id), "--keep").CombinedOutput()
			if err != nil || !strings.Contains(string(out), "It said hello.") {
				t.Errorf("%v: %s", err, out)
			}
			if problems := server.Problems(); len(problems) > 0 {
				t.Errorf("problems %q", problems)
			}
			all, err := d.list()
			if err != nil || !slices.ContainsFunc(all, func(h held) bool { return h.Name == desktopOf(id) }) {
				t.Errorf("of the desktops %v, %v none is kept for the task", all, err)
			}
		})
	}
}

// readUntil starts a command and reads its events up to the first of a kind. It
// returns the task's id.
func readUntil(t *testing.T, c *exec.Cmd, kind deskhand.Kind) deskhand.TaskID {
	t.Helper()
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	c.Stderr = &said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var e deskhand.Event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		if e.Kind == kind {
			return e.Task
		}
	}
	_ = c.Wait() // what it said says why
	t.Fatalf("no %s came: %s", kind, said.String())
	return ""
}
