package bash

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/sandbox"
)

// session is one shell. Its own stdin and stdout carry only the talk between it
// and this package; a command's streams are a pump's.
type session struct {
	sandbox sandbox.Sandbox
	process sandbox.Process
	pid     string
	readers *sync.WaitGroup
	over    chan struct{} // closed when the shell has ended
	exit    sandbox.Exit  // how, once it has
	next    *spare        // the pump of the next command; nil when none was prepared

	mu   sync.Mutex
	call *exchange // nil between calls
}

// exchange is the talk about one command.
type exchange struct {
	tag, challenge string
	began          bool
	jobs           []string      // numbers of the background jobs that were there before
	status         string        // of the command; the last one said before the challenge was answered
	said           chan struct{} // closed when a status was said
	answered       chan struct{} // closed when the challenge was answered
}

// shellArgs make an interactive shell without a terminal: only that kind leaves
// a command it is told to interrupt and goes on with the next line.
var shellArgs = []string{"/bin/bash", "--noprofile", "--norc", "--noediting", "-i", "+o", "history", "+H"}

// opening sets the shell up and has it say its number. Job control gives every
// command a process group of its own; asked for on the command line, it would
// want a terminal.
const opening = `set -m; unset PROMPT_COMMAND ${!ANTHROPIC_*}; printf 'shell %s\n' $$` + "\n"

func shellEnv(extra []string) []string {
	return append([]string{"PS1=", "PS2=", "TERM=dumb", "HISTFILE=", "PAGER=cat", "GIT_PAGER=cat"}, extra...)
}

func start(ctx context.Context, sb sandbox.Sandbox, c Config, readers *sync.WaitGroup) (*session, error) {
	process, err := sb.Exec(ctx, sandbox.Cmd{Args: shellArgs, Dir: c.Dir, Env: shellEnv(c.Env)})
	if err != nil {
		return nil, err
	}
	s := &session{sandbox: sb, process: process, readers: readers, over: make(chan struct{})}
	pid := make(chan string, 1)
	readers.Go(func() { s.listen(process.Stdout(), pid) })
	readers.Go(func() {
		s.exit, _ = process.Wait() // a status that is lost is one of a shell that was ended
		close(s.over)
	})
	readers.Go(func() { _, _ = io.Copy(io.Discard, process.Stderr()) }) // prompts and notices about jobs
	s.say(opening)
	select {
	case s.pid = <-pid:
		return s, nil
	case <-s.over:
		err = deskhand.Errorf("", deskhand.OverLimit, "the shell ended at once")
	case <-ctx.Done():
		err = deskhand.E("", deskhand.Canceled, context.Cause(ctx))
	case <-time.After(startLimit):
		err = deskhand.Errorf("", deskhand.OverLimit, "the shell did not start within %s", startLimit)
	}
	return nil, errors.Join(deskhand.E("bash: start", "", err), s.close())
}

// close ends the shell and everything it started.
func (s *session) close() error {
	err := s.process.Kill()
	_ = s.process.Stdin().Close() // the shell is gone
	return errors.Join(err, s.dropPump())
}

// maxLine bounds a line of the shell's own stdout; what it says is short.
const maxLine = 4096

// listen takes in what the shell says until it ends.
func (s *session) listen(stdout io.Reader, pid chan<- string) {
	r := bufio.NewReaderSize(stdout, maxLine)
	for {
		line, err := r.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
		words := strings.Fields(string(line))
		if len(words) == 2 && words[0] == "shell" && isNumber(words[1]) {
			select {
			case pid <- words[1]:
			default: // a command that says it again
			}
			continue
		}
		s.hear(words)
	}
}

// hear takes in one line about the command of the moment. Whatever else comes
// is not the shell's own: a prompt command of the model's, for one.
func (s *session) hear(words []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.call
	switch {
	case x == nil || len(words) == 0:
	case slices.Equal(words, []string{"begin", x.tag}):
		x.began = true
	case len(words) == 1 && isNumber(words[0]) && !x.began:
		x.jobs = append(x.jobs, words[0])
	case x.isEnd(words) && !closed(x.answered):
		x.status = words[2]
		if !closed(x.said) {
			close(x.said)
		}
	case len(words) == 1 && words[0] == x.challenge && !closed(x.answered):
		close(x.answered)
	}
}

// isEnd reports whether words say that the command ended, and its status.
func (x *exchange) isEnd(words []string) bool {
	return len(words) == 3 && words[0] == "end" && words[1] == x.tag && isNumber(words[2])
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// nonce returns 26 random letters and digits.
func nonce() string { return rand.Text() }

// say writes a line for the shell to read. The shell reads at its prompt only,
// so a long line waits for it in a goroutine of its own.
func (s *session) say(text string) {
	s.readers.Go(func() { _, _ = io.WriteString(s.process.Stdin(), text) }) // a shell that is gone is noticed by its stdout
}

// commandText is what the shell reads for one command: the jobs there are, that
// it begins if its streams can be opened, the command, and its status. No word
// of it is one that an alias could take the place of.
func commandText(command, tag, pump string) string {
	quoted := "'" + strings.ReplaceAll(command, "'", `'\''`) + "'"
	streams := fmt.Sprintf("</dev/null >/proc/%s/fd/1 2>/proc/%s/fd/2", pump, pump)
	return "PS1= PS2= PROMPT_COMMAND=\n" + `\builtin jobs -p` + "\n" +
		`\builtin : ` + streams + ` && \builtin printf 'begin %s\n' ` + tag + ` && \builtin eval ` + quoted + " " + streams + "\n" +
		`\builtin printf 'end %s %d\n' ` + tag + ` "$?"` + "\n"
}

// run performs one command.
func (s *session) run(ctx context.Context, command string, c Config) (done, error) {
	p, err := s.takePump(ctx, c.MaxOutput)
	if err != nil {
		return done{}, err
	}
	x := &exchange{tag: nonce(), said: make(chan struct{}), answered: make(chan struct{})}
	s.mu.Lock()
	s.call = x
	s.mu.Unlock()
	d := done{pid: s.pid, out: p.out, err: p.err}
	s.say(commandText(command, x.tag, p.pid))
	limit := time.NewTimer(c.Timeout)
	defer limit.Stop()
	select {
	case <-x.said:
	case <-s.over:
	case <-limit.C:
		d.timedOut = true
	case <-ctx.Done():
	}
	if d.timedOut || ctx.Err() != nil {
		s.stop(ctx, x)
	}
	err = s.confirm(x, &d)
	err = errors.Join(err, p.finish())
	s.mu.Lock()
	d.began, s.call = x.began, nil
	s.mu.Unlock()
	if !d.ended {
		s.preparePump(c.MaxOutput)
	}
	if ctx.Err() != nil {
		return d, deskhand.E("bash: command", deskhand.Canceled, context.Cause(ctx))
	}
	return d, err
}

// answerLimit bounds how long a shell that said it is done may take to answer.
const answerLimit = 2 * time.Second

// confirm makes sure that it was the shell itself that said the command is
// done. It asks for a word made up only now; the shell answers when it reads
// its next line, which it does only when the command has really ended. A shell
// that does not answer is ended.
func (s *session) confirm(x *exchange, d *done) error {
	if closed(x.said) {
		s.mu.Lock()
		x.challenge = nonce()
		s.mu.Unlock()
		s.say(`\builtin printf '%s\n' ` + x.challenge + "\n")
		select {
		case <-x.answered:
			d.status, _ = strconv.Atoi(x.status) // hear saw that it is a number
			return nil
		case <-s.over:
		case <-time.After(answerLimit):
		}
	}
	d.ended = true
	if closed(s.over) {
		d.status = s.exit.Status
		return nil
	}
	d.status = -1
	return s.close()
}
