package stack

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/sys/unix"
)

// Sizes of a log, in bytes. A log is a head that says how it began and, when
// there is more, a tail that says how it ended: name.log and name.tail.log.
const (
	logHead    = 512 << 10
	logTail    = 256 << 10 // twice in the worst case: the tail is cut when it has doubled
	remembered = 4 << 10   // for lastLine
)

// logFile is where the output of one program goes, and of the programs that it
// starts. They get a pipe that stays open across restarts: what a panel
// started goes on writing after the panel was started again.
//
// The file never takes more than logHead + 2*logTail bytes, and a full disk is
// nobody's death.
type logFile struct {
	path   string
	input  *os.File // the programs' end
	output *os.File
	done   chan struct{} // closed when the reader has ended

	mu     sync.Mutex
	head   *os.File // nil when it could not be made
	room   int      // left in head
	tail   []byte
	recent []byte // the last bytes of the current run
}

func openLog(path string) (*logFile, error) {
	l := &logFile{path: path, room: logHead, done: make(chan struct{})}
	var err error
	if l.output, l.input, err = os.Pipe(); err != nil {
		return nil, err
	}
	// Appending, so that a program that opens the same file cannot truncate it under us.
	l.head, _ = os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY|os.O_TRUNC, 0o600)
	go l.read() // close waits for it
	return l, nil
}

func (l *logFile) read() {
	defer close(l.done)
	raw, err := l.output.SyscallConn()
	if err != nil {
		return
	}
	for ended := false; !ended; {
		err := raw.Read(func(fd uintptr) bool {
			var some bool
			some, ended = l.take(int(fd))
			return some || ended
		})
		ended = ended || err != nil
	}
}

// take moves what the pipe holds into the log. some is false when there was nothing.
func (l *logFile) take(fd int) (some, ended bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	buf := make([]byte, 4096)
	for {
		n, err := unix.Read(fd, buf)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			return some, false
		case n <= 0:
			return some, true
		default:
			some = true
			l.add(buf[:n])
		}
	}
}

// add is called with the lock.
func (l *logFile) add(p []byte) {
	l.recent = lastBytes(append(l.recent, p...), remembered)
	if l.head == nil {
		return
	}
	n := min(len(p), l.room)
	_, _ = l.head.Write(p[:n])
	l.room -= n
	l.tail = append(l.tail, p[n:]...)
	if len(l.tail) > 2*logTail {
		l.tail = bytes.Clone(lastBytes(l.tail, logTail))
	}
}

// begin forgets what an earlier run said, for lastLine.
func (l *logFile) begin() {
	l.drain()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.recent = nil
}

// drain takes in what was written up to now.
func (l *logFile) drain() {
	if raw, err := l.output.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { l.take(int(fd)) }) // fails only when it is closed
	}
}

// lastLine returns the last line of the current run that says something, in
// printable characters and at most 200 of them.
func (l *logFile) lastLine() string {
	l.drain()
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := strings.Split(string(l.recent), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		line := strings.TrimSpace(strings.Map(printable, strings.ToValidUTF8(lines[i], "")))
		if line == "" {
			continue
		}
		if r := []rune(line); len(r) > 200 {
			line = string(r[:200]) + "…"
		}
		return line
	}
	return ""
}

func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return -1
}

// close takes in the rest, writes the tail and lets go of the file. Nobody may
// be given the log any more.
func (l *logFile) close() {
	l.drain()
	_ = l.input.Close()
	_ = l.output.Close()
	<-l.done
	if l.head == nil {
		return
	}
	_ = l.head.Close()
	if len(l.tail) > 0 {
		_ = os.WriteFile(strings.TrimSuffix(l.path, ".log")+".tail.log", lastBytes(l.tail, logTail), 0o600)
	}
}

func lastBytes(b []byte, n int) []byte { return b[max(0, len(b)-n):] }
