// Package stack is the display inside a sandbox: it starts Xvfb, a session
// D-Bus, mutter and tint2, sees when they are ready, starts them again when
// they die, and prepares the home directory so that programs open without
// questions, bubbles and animations.
//
// Trust: everything that connects to the display is hostile, the programs
// started here included, since whoever runs beside them can talk to them.
// Nothing that they print or show is interpreted here: readiness is read from
// the X server and from descriptors of our own, and the one line of a log that
// appears in an error is cut down to printable characters.
package stack

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/internal/guestapi"
)

// Config says what display to build. Its JSON form is what the host tells the
// guest.
type Config struct {
	Size       deskhand.Size `json:"size"`                  // default: 1280x800
	Scale      int           `json:"scale,omitempty"`       // magnification of everything, 1 to 3; default: 1
	Home       string        `json:"home"`                  // where settings are written; default: HOME
	RuntimeDir string        `json:"runtime_dir"`           // private, for sockets; its path has at most 80 bytes; default: XDG_RUNTIME_DIR
	LogDir     string        `json:"log_dir,omitempty"`     // for a log per program; default: RuntimeDir/log
	Locale     string        `json:"locale,omitempty"`      // default: C.UTF-8
	ProgramDir []string      `json:"program_dir,omitempty"` // where programs are looked for; default: the directories of PATH

	Log *slog.Logger `json:"-"` // default: nothing is logged
}

// Limits of Config.
const (
	maxScale = 3
	maxPath  = 80 // of RuntimeDir; a socket's path may have 107 bytes
)

func (c Config) withDefaults() Config {
	if c.Size == (deskhand.Size{}) {
		c.Size = deskhand.Size{W: 1280, H: 800}
	}
	if c.Scale == 0 {
		c.Scale = 1
	}
	if c.Home == "" {
		c.Home = os.Getenv("HOME")
	}
	if c.RuntimeDir == "" {
		c.RuntimeDir = os.Getenv("XDG_RUNTIME_DIR")
	}
	if c.LogDir == "" {
		c.LogDir = filepath.Join(c.RuntimeDir, "log")
	}
	if c.Locale == "" {
		c.Locale = "C.UTF-8"
	}
	if len(c.ProgramDir) == 0 {
		c.ProgramDir = filepath.SplitList(os.Getenv("PATH"))
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func (c Config) validate() error {
	const op = "display stack"
	switch {
	case c.Size.W < 320 || c.Size.H < 240 || c.Size.W > 16384 || c.Size.H > 16384:
		return deskhand.Errorf(op, deskhand.Invalid, "a display of %s is not possible; choose one from 320x240 to 16384x16384", c.Size)
	case c.Scale < 1 || c.Scale > maxScale:
		return deskhand.Errorf(op, deskhand.Invalid, "scale %d is not one of 1 to %d", c.Scale, maxScale)
	case !filepath.IsAbs(c.Home) || !filepath.IsAbs(c.RuntimeDir) || !filepath.IsAbs(c.LogDir):
		return deskhand.Errorf(op, deskhand.Invalid, "home %q, runtime directory %q and log directory %q must be absolute paths", c.Home, c.RuntimeDir, c.LogDir)
	case len(c.RuntimeDir) > maxPath:
		return deskhand.Errorf(op, deskhand.Invalid, "the runtime directory's path has %d bytes; sockets allow for %d", len(c.RuntimeDir), maxPath)
	}
	return nil
}

// Stack is one display. Methods may be called concurrently.
type Stack struct {
	config Config
	log    *slog.Logger
	board  *board
	files  private

	programs []installed
	logs     map[string]*logFile

	mu      sync.Mutex
	cancel  context.CancelFunc // nil before Start and after Stop
	stopped chan struct{}      // closed when nothing runs any more
	display display
}

// display is the X server of the moment, or where the last one was.
type display struct {
	name      string // ":0"
	authority string // path of the authority file
	desktop   desktop.Desktop
}

// private are the paths below the runtime directory.
type private struct{ dir, bin, bus, panel string }

// New returns a display that is not started. Invalid: c makes no sense.
func New(c Config) (*Stack, error) {
	c = c.withDefaults()
	if err := c.validate(); err != nil {
		return nil, err
	}
	dir := filepath.Join(c.RuntimeDir, "deskhand")
	return &Stack{
		config: c, log: c.Log,
		board: newBoard(nameServer, nameBus, nameManager, namePanel),
		files: private{dir: dir, bin: filepath.Join(dir, "bin"), bus: filepath.Join(c.RuntimeDir, "bus")},
		logs:  map[string]*logFile{},
	}, nil
}

// Start prepares the home directory, begins to start the programs and returns;
// Health tells how it goes. ctx bounds the preparation only; Stop ends it all.
// Conflict: it was started before.
func (s *Stack) Start(ctx context.Context) error {
	const op = "display stack: start"
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped != nil {
		return deskhand.Errorf(op, deskhand.Conflict, "the display was started before")
	}
	if err := s.prepare(); err != nil {
		return deskhand.Errorf(op, deskhand.Unavailable, "the desktop's files cannot be written: %w", err)
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cancel, s.stopped = cancel, make(chan struct{})
	go func() { // Stop waits for it
		defer close(s.stopped)
		s.supervise(run, s.server())
		s.setDisplay(display{})
		s.closeLogs()
	}()
	return nil
}

func (s *Stack) closeLogs() {
	for _, l := range s.logs {
		l.close()
	}
}

func (s *Stack) prepare() error {
	var errs []error
	for _, dir := range []string{s.config.RuntimeDir, s.files.dir, s.config.LogDir} {
		errs = append(errs, os.MkdirAll(dir, 0o700))
	}
	if err := errors.Join(append(errs, furnish(s.config))...); err != nil {
		return err
	}
	s.programs = findPrograms(s.config, s.config.ProgramDir)
	if err := writeWrappers(s.files.bin, s.programs); err != nil {
		return err
	}
	panel, err := writePanel(s.files.dir, s.config, s.programs, s.files.bin)
	if err != nil {
		return err
	}
	s.files.panel = panel
	for _, name := range []string{nameServer, nameBus, nameManager, namePanel} {
		l, err := openLog(filepath.Join(s.config.LogDir, strings.ToLower(name)+".log"))
		if err != nil {
			s.closeLogs()
			return err
		}
		s.logs[name] = l
	}
	return nil
}

// Desktop returns the desktop, nil while there is none. After the display died
// and was started again it is another one.
func (s *Stack) Desktop() desktop.Desktop {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.display.desktop
}

// Health says how the programs stand, what should be known since the start,
// and whether everything is ready. failed is one sentence when it will never be.
func (s *Stack) Health() (programs []guestapi.Program, notices []guestapi.Notice, ready bool, failed string) {
	return s.board.health()
}

// Changed returns a channel that is closed at the next change of Health.
func (s *Stack) Changed() <-chan struct{} { return s.board.news() }

// Stop ends everything, what depends on something before it, and returns when
// nothing runs any more. It may be called twice, and before Start.
func (s *Stack) Stop() {
	s.mu.Lock()
	cancel, stopped := s.cancel, s.stopped
	s.mu.Unlock()
	if cancel == nil {
		return
	}
	cancel()
	<-stopped
}
