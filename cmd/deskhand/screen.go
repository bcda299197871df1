package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/deskhand/deskhand/internal/plaintext"
)

// screen is a terminal, or something that stands in for one: permanent lines,
// and below them one transient line that says what is going on. Only a terminal
// gets the transient line and colours.
//
// While a person types, the transient line shows that, and permanent lines wait
// until it is sent or given up, so that neither garbles the other.
//
// Methods may be called concurrently. Close waits for the spinner to end.
type screen struct {
	out    io.Writer
	tty    bool
	colour bool
	ascii  bool
	width  func() int // columns; 0 is unknown

	mu      sync.Mutex // guards the rest
	busy    string     // transient text; empty for none
	since   time.Time
	shown   bool // the transient line is on the screen
	midline bool // permanent text ended without a line feed
	frame   int
	typed   string          // what a person is typing; empty for nothing
	held    strings.Builder // permanent text that waits until nothing is being typed

	stop chan struct{}
	done chan struct{}
}

// style is an SGR code of the terminal.
type style string

const (
	plain  style = ""
	dim    style = "2"
	bold   style = "1"
	red    style = "31"
	green  style = "32"
	yellow style = "33"
	cyan   style = "36"
)

// spin is how often the transient line is drawn again.
const spin = 120 * time.Millisecond

func newScreen(out io.Writer, env func(string) string) *screen {
	s := &screen{out: out, width: func() int { return 0 }, ascii: !utf8Locale(env), stop: make(chan struct{}), done: make(chan struct{})}
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		dumb := env("TERM") == "dumb" || env("TERM") == ""
		s.tty, s.colour = !dumb, !dumb && env("NO_COLOR") == ""
		s.width = func() int {
			w, _, err := term.GetSize(int(f.Fd()))
			if err != nil {
				return 0
			}
			return w
		}
	}
	if !s.tty {
		close(s.done)
		return s
	}
	go s.spin()
	return s
}

// utf8Locale reports whether the environment says that the terminal shows UTF-8.
// Without any locale it is taken to: that is how containers come.
func utf8Locale(env func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := strings.ToLower(env(name)); v != "" {
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return true
}

func (s *screen) spin() {
	defer close(s.done)
	tick := time.NewTicker(spin)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
			s.mu.Lock()
			s.draw()
			s.mu.Unlock()
		}
	}
}

// Close takes the transient line away and ends an open line.
func (s *screen) Close() {
	if s.tty {
		close(s.stop)
	}
	<-s.done
	s.Busy("")
	s.Typing("")
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.midline {
		fmt.Fprintln(s.out)
		s.midline = false
	}
}

// Busy sets what the transient line says; empty takes it away.
func (s *screen) Busy(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.erase()
	s.busy, s.since = what, time.Now()
	s.draw()
}

// Line prints a permanent line of already visible text.
func (s *screen) Line(st style, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.erase()
	if s.midline {
		s.put("\n")
		s.midline = false
	}
	s.put(s.paint(st, s.encode(text)) + "\n")
}

// put writes permanent text, or keeps it while a person types. The lock is held.
func (s *screen) put(text string) {
	if s.typed != "" {
		s.held.WriteString(text)
		return
	}
	io.WriteString(s.out, text) // like every write here: a terminal that is gone ends the program by signal
}

// Typing sets what a person is typing; empty when it is sent or given up.
func (s *screen) Typing(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.erase()
	if s.typed == "" && text != "" && s.midline {
		s.put("\n")
		s.midline = false
	}
	if s.typed = text; text == "" {
		s.put(s.held.String())
		s.held.Reset()
	}
	s.draw()
}

// Action prints a permanent line cut to the width of the terminal, keeping tail whole.
func (s *screen) Action(st style, head, tail string) {
	const least, most = 10, 200
	columns := s.width()
	if columns <= 0 {
		columns = most
	}
	s.Line(st, plaintext.Clip(head, max(columns-plaintext.Width(tail)-1, least))+tail)
}

// Stream prints permanent text that goes on where the last ended.
func (s *screen) Stream(text string) {
	if text == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.erase()
	s.busy = ""
	s.put(s.encode(text))
	s.midline = !strings.HasSuffix(text, "\n")
}

// encode fits text to what the terminal can show.
func (s *screen) encode(text string) string {
	if s.ascii {
		return plaintext.ASCII(text)
	}
	return text
}

func (s *screen) paint(st style, text string) string {
	if !s.colour || st == plain || text == "" {
		return text
	}
	return "\x1b[" + string(st) + "m" + text + "\x1b[0m"
}

// erase takes the transient line off the screen. The lock is held.
func (s *screen) erase() {
	if s.shown {
		io.WriteString(s.out, "\r\x1b[K")
		s.shown = false
	}
}

// draw shows the transient line, when there is one and the cursor is free. The lock is held.
func (s *screen) draw() {
	if s.tty && s.typed != "" {
		s.erase()
		io.WriteString(s.out, s.encode("> "+tailOf(s.typed, s.width())))
		s.shown = true
		return
	}
	if !s.tty || s.busy == "" || s.midline {
		return
	}
	frames := []string{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"}
	if s.ascii {
		frames = []string{"|", "/", "-", `\`}
	}
	s.frame = (s.frame + 1) % len(frames)
	text := fmt.Sprintf("%s %s", frames[s.frame], s.encode(s.busy))
	if d := time.Since(s.since); d > time.Second {
		text += fmt.Sprintf(" %d s", int(d.Seconds()))
	}
	if w := s.width(); w > 1 {
		text = plaintext.Clip(text, w-1)
	}
	s.erase()
	io.WriteString(s.out, s.paint(dim, text))
	s.shown = true
}

// tailOf returns the end of a line that is being typed, as much as fits.
func tailOf(typed string, width int) string {
	const prompt = 3 // with the column of the cursor
	text := []rune(plaintext.Line(typed))
	for width > prompt && plaintext.Width(string(text)) > width-prompt {
		text = text[1:]
	}
	return string(text)
}
