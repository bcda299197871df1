package stack

import (
	"bytes"
	"os"
	"strings"
	"sync"
	"unicode"
)

// Sizes of a log, in bytes. A log is a head that says how it began and, when
// there is more, a tail that says how it ended: name.log and name.tail.log.
const (
	logHead = 512 << 10
	logTail = 256 << 10 // twice in the worst case: the tail is cut when it has doubled
	keep    = 4 << 10   // remembered for lastLine
)

// logFile is where the output of one program goes, across its restarts. It
// never takes more than logHead + 2*logTail and never fails: a program does not
// die of a full disk under its log.
type logFile struct {
	path string

	mu     sync.Mutex
	head   *os.File // nil when it could not be made
	room   int      // left in head
	tail   []byte
	recent []byte // the last bytes of the current run
}

func openLog(path string) *logFile {
	l := &logFile{path: path, room: logHead}
	// Appending, so that a program that is given the same path cannot truncate it.
	l.head, _ = os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY|os.O_TRUNC, 0o600)
	return l
}

// Write never fails; see logFile.
func (l *logFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.recent = lastBytes(append(l.recent, p...), keep)
	if l.head == nil {
		return len(p), nil
	}
	n := min(len(p), l.room)
	_, _ = l.head.Write(p[:n])
	l.room -= n
	if rest := p[n:]; len(rest) > 0 {
		l.tail = append(l.tail, rest...)
		if len(l.tail) > 2*logTail {
			l.tail = bytes.Clone(lastBytes(l.tail, logTail))
		}
	}
	return len(p), nil
}

// begin forgets what an earlier run said, for lastLine.
func (l *logFile) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.recent = nil
}

// lastLine returns the last line of the current run that says something, in
// printable characters and at most 200 of them.
func (l *logFile) lastLine() string {
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

// close writes the tail and lets go of the file.
func (l *logFile) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.head == nil {
		return
	}
	_ = l.head.Close()
	l.head = nil
	if len(l.tail) > 0 {
		_ = os.WriteFile(strings.TrimSuffix(l.path, ".log")+".tail.log", lastBytes(l.tail, logTail), 0o600)
	}
}

func lastBytes(b []byte, n int) []byte { return b[max(0, len(b)-n):] }
