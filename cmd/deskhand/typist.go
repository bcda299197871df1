package main

import (
	"errors"
	"io"
	"os"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/deskhand/deskhand/internal/plaintext"
)

// typist reads what a person types on the terminal on which a task is shown. The
// terminal's own echo is off, because it would land in the middle of what is
// shown; the screen shows the line instead. Keys that send signals still do.
//
// A nil typist hears nothing.
type typist struct {
	fd     int
	before unix.Termios
	wake   [2]int // a pipe: its end of writing ends the reading
	screen *screen
	say    func(line string) error

	line   []byte
	escape int // how far into an escape sequence: 0 not, 1 after ESC, 2 inside
	reads  sync.WaitGroup
	close  sync.Once
}

// newTypist begins to read, when in is a terminal in the foreground and s is one.
func newTypist(in io.Reader, s *screen, say func(line string) error) *typist {
	f, ok := in.(*os.File)
	if !ok || !s.tty || !term.IsTerminal(int(f.Fd())) || !foreground(int(f.Fd())) {
		return nil
	}
	t := &typist{fd: int(f.Fd()), screen: s, say: say}
	before, err := unix.IoctlGetTermios(t.fd, unix.TCGETS)
	if err != nil || unix.Pipe2(t.wake[:], unix.O_CLOEXEC) != nil {
		return nil
	}
	t.before = *before
	mode := *before
	mode.Lflag &^= unix.ICANON | unix.ECHO
	mode.Cc[unix.VMIN], mode.Cc[unix.VTIME] = 1, 0
	if unix.IoctlSetTermios(t.fd, unix.TCSETS, &mode) != nil {
		t.closePipe()
		return nil
	}
	t.reads.Go(t.read)
	return t
}

// foreground reports whether this program may read from and set its terminal:
// the kernel stops one that tries from the background.
func foreground(fd int) bool {
	group, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
	return err != nil || group == unix.Getpgrp() // an error: it is not the terminal that controls us
}

// Close gives the terminal back as it was and returns when nothing reads any more.
func (t *typist) Close() {
	if t == nil {
		return
	}
	t.close.Do(func() {
		_ = unix.Close(t.wake[1])
		t.wake[1] = -1
		t.reads.Wait()
		t.closePipe()
		if foreground(t.fd) {
			_ = unix.IoctlSetTermios(t.fd, unix.TCSETS, &t.before)
		}
	})
}

func (t *typist) closePipe() {
	for _, fd := range t.wake {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
}

// backgroundPoll is how often a program in the background looks whether it is
// in front again, in milliseconds.
const backgroundPoll = 300

func (t *typist) read() {
	buf := make([]byte, 256)
	for {
		watched := []unix.PollFd{{Fd: int32(t.wake[0])}, {Fd: int32(t.fd), Events: unix.POLLIN}}
		limit := -1
		if !foreground(t.fd) {
			watched, limit = watched[:1], backgroundPoll
		}
		if _, err := unix.Poll(watched, limit); err != nil && !errors.Is(err, unix.EINTR) || watched[0].Revents != 0 {
			return
		}
		if len(watched) < 2 || watched[1].Revents == 0 || !foreground(t.fd) {
			continue
		}
		n, err := unix.Read(t.fd, buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n <= 0 {
			return // the terminal is gone
		}
		for _, b := range buf[:n] {
			t.key(b)
		}
		t.screen.Typing(string(t.line))
	}
}

const maxTyped = 16 << 10 // bytes of one line

// edits are what control characters do.
var edits = map[byte]func(*typist){
	'\r':      (*typist).send,
	'\n':      (*typist).send,
	0x1b:      func(t *typist) { t.escape = 1 },
	0x7f:      (*typist).erase,
	'\b':      (*typist).erase,
	'U' - '@': func(t *typist) { t.line = nil },
	'W' - '@': func(t *typist) { t.line = withoutLastWord(t.line) },
}

// key takes one byte.
func (t *typist) key(b byte) {
	edit, control := edits[b]
	switch {
	case t.escape == 1:
		if t.escape = 0; b == '[' || b == 'O' {
			t.escape = 2
		}
	case t.escape == 2:
		if b >= '@' && b <= '~' {
			t.escape = 0
		}
	case control:
		edit(t)
	case b >= ' ' && len(t.line) < maxTyped:
		t.line = append(t.line, b)
	}
}

// erase takes the last character away.
func (t *typist) erase() {
	_, size := utf8.DecodeLastRune(t.line)
	t.line = t.line[:len(t.line)-size]
}

func withoutLastWord(line []byte) []byte {
	text, inWord := []rune(string(line)), false
	for len(text) > 0 {
		space := unicode.IsSpace(text[len(text)-1])
		if space && inWord {
			break
		}
		inWord = inWord || !space
		text = text[:len(text)-1]
	}
	return []byte(string(text))
}

// send says the line, when there is one.
func (t *typist) send() {
	line := string(t.line)
	t.line = nil
	t.screen.Typing("")
	if line == "" {
		return
	}
	if err := t.say(line); err != nil {
		t.screen.Line(yellow, "  ! "+plaintext.Line(err.Error()))
	}
}
