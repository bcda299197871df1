package main

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal is a pseudo-terminal: what a program writes on tty is collected.
type terminal struct {
	master, tty *os.File

	mu   sync.Mutex
	text strings.Builder
}

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd := int(master.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	x := &terminal{master: master, tty: tty}
	read := make(chan struct{})
	go func() {
		defer close(read)
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			if err != nil {
				return
			}
			x.mu.Lock()
			x.text.Write(buf[:n])
			x.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		tty.Close() // ends the reading
		<-read
		master.Close()
	})
	return x
}

func (x *terminal) shown() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.text.String()
}

func (x *terminal) typing(t *testing.T, keys string) {
	t.Helper()
	if _, err := x.master.WriteString(keys); err != nil {
		t.Fatal(err)
	}
}

// waitFor waits until want is shown.
func (x *terminal) waitFor(t *testing.T, want string) {
	t.Helper()
	limit := time.After(2 * time.Minute)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !strings.Contains(x.shown(), want) {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("%q is not shown: %q", want, x.shown())
		}
	}
}

func TestTypist(t *testing.T) {
	t.Parallel()
	x := newTerminal(t)
	env := func(name string) string {
		return map[string]string{"TERM": "xterm", "NO_COLOR": "1", "LANG": "C.UTF-8"}[name]
	}
	s := newScreen(x.tty, env)
	said := make(chan string, 4)
	typist := newTypist(x.tty, s, func(line string) error { said <- line; return nil })
	if typist == nil {
		t.Fatal("the terminal is not taken for one")
	}
	s.Line(plain, "before")
	s.Stream("half a li")
	x.typing(t, "Use the blü")
	x.waitFor(t, "> Use the blü")
	s.Stream("ne\n")
	s.Line(plain, "meanwhile")
	x.typing(t, "xx\x7f\x7f\x1b[Ae")
	x.waitFor(t, "> Use the blüe")
	if strings.Contains(x.shown(), "meanwhile") {
		t.Errorf("a line came in between: %q", x.shown())
	}
	x.typing(t, " wrong\x17one\r")
	x.waitFor(t, "meanwhile")
	if got := <-said; got != "Use the blüe one" {
		t.Errorf("said %q", got)
	}
	if got := x.shown(); !strings.Contains(got, "half a li\r\n") || !strings.Contains(got, "ne\r\nmeanwhile\r\n") {
		t.Errorf("shown: %q", got)
	}
	x.typing(t, "given up\x15\r")
	typist.Close()
	typist.Close()
	s.Close()
	mode, err := unix.IoctlGetTermios(int(x.tty.Fd()), unix.TCGETS)
	if err != nil || mode.Lflag&unix.ECHO == 0 || mode.Lflag&unix.ICANON == 0 {
		t.Errorf("the terminal is left as %+v, %v", mode, err)
	}
	if len(said) != 0 {
		t.Errorf("said %q", <-said)
	}
	if newTypist(strings.NewReader("x\n"), s, nil) != nil {
		t.Error("what is no terminal is listened to")
	}
}
