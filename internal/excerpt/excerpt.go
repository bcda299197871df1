// Package excerpt keeps the start and the end of what a program prints, in
// bounded memory, with a note in the place of what was left out.
//
// Trust: what is printed is hostile. Text makes it safe to show, and a marker
// that is made only after the last byte was printed cannot be forged.
package excerpt

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/deskhand/deskhand/internal/plaintext"
)

// Excerpt is that of one stream, to its end or to a marker. Methods may be
// called concurrently.
type Excerpt struct {
	sealed chan struct{}

	mu     sync.Mutex
	half   int
	head   []byte
	tail   []byte // the last bytes, at most twice half
	total  int64
	lines  int64
	marker []byte
	closed bool
}

// New returns an empty excerpt of at most limit bytes, half from the start and
// half from the end.
func New(limit int) *Excerpt {
	return &Excerpt{sealed: make(chan struct{}), half: max(1, limit/2)}
}

// Drain reads r to its end: what comes after the marker belongs to no call, but
// a program that goes on writing must not block or die of it.
func (c *Excerpt) Drain(r io.Reader) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := r.Read(buffer)
		c.add(buffer[:n])
		if err != nil {
			c.Seal()
			return
		}
	}
}

// Expect sets the marker. It must not have been sent yet.
func (c *Excerpt) Expect(marker string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.marker = []byte(marker)
}

// Sealed is closed at the marker, or at the end of the stream.
func (c *Excerpt) Sealed() <-chan struct{} { return c.sealed }

// Seal ends the excerpt here.
func (c *Excerpt) Seal() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sealLocked()
}

func (c *Excerpt) sealLocked() {
	if !c.closed {
		c.closed = true
		close(c.sealed)
	}
}

func (c *Excerpt) add(p []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	c.total += int64(len(p))
	c.lines += int64(bytes.Count(p, []byte{'\n'}))
	if n := min(len(p), c.half-len(c.head)); n > 0 {
		c.head = append(c.head, p[:n]...)
	}
	c.tail = append(c.tail, p...)
	if c.marker != nil {
		if at := bytes.Index(c.tail, c.marker); at >= 0 {
			c.cut(len(c.tail) - at)
			c.sealLocked()
		}
	}
	if keep := c.half + len(c.marker); len(c.tail) > 2*keep {
		c.tail = append(c.tail[:0], c.tail[len(c.tail)-keep:]...)
	}
}

// cut takes the last n bytes away again: the marker, and what a background
// program wrote right after it.
func (c *Excerpt) cut(n int) {
	c.lines -= int64(bytes.Count(c.tail[len(c.tail)-n:], []byte{'\n'}))
	c.tail = c.tail[:len(c.tail)-n]
	c.total -= int64(n)
	c.head = c.head[:min(int64(len(c.head)), c.total)]
}

// Text returns what was printed, safe to show, with a note in the place of what
// was left out.
func (c *Excerpt) Text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.total <= int64(len(c.head)) {
		return plaintext.Output(c.head)
	}
	last := c.tail
	if c.total <= int64(2*c.half) { // head and tail meet or overlap
		rest := int(c.total) - len(c.head)
		return plaintext.Output(append(bytes.Clone(c.head), last[len(last)-rest:]...))
	}
	head, tail := tidy(c.head, last[max(0, len(last)-c.half):])
	note := fmt.Sprintf("... Output truncated (%d total lines) ...\n[%d bytes left out]", c.lines+c.unfinished(), c.total-int64(len(head)+len(tail)))
	return strings.TrimRight(plaintext.Output(head), "\n") + "\n" + note + "\n" + plaintext.Output(tail)
}

// unfinished is 1 when the last line has no line feed.
func (c *Excerpt) unfinished() int64 {
	if len(c.tail) > 0 && c.tail[len(c.tail)-1] != '\n' {
		return 1
	}
	return 0
}

// tidy cuts head and tail at line ends where there are any nearby, else between
// characters.
func tidy(head, tail []byte) ([]byte, []byte) {
	if at := bytes.LastIndexByte(head, '\n'); at >= len(head)/2 {
		head = head[:at+1]
	} else {
		for i := 0; i < utf8.UTFMax-1 && len(head) > 0; i++ {
			if r, size := utf8.DecodeLastRune(head); r != utf8.RuneError || size != 1 {
				break
			}
			head = head[:len(head)-1]
		}
	}
	if at := bytes.IndexByte(tail, '\n'); at >= 0 && at < len(tail)/2 {
		tail = tail[at+1:]
	} else {
		for i := 0; i < utf8.UTFMax-1 && len(tail) > 0 && !utf8.RuneStart(tail[0]); i++ {
			tail = tail[1:]
		}
	}
	return head, tail
}
