package guest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/deskhand/deskhand/internal/guestapi"
	"github.com/deskhand/deskhand/internal/handover"
	"github.com/deskhand/deskhand/internal/overlay"
	"github.com/deskhand/deskhand/sandbox/host"
)

// listenerFD is where the guest finds its listening socket. The host made it
// in a directory of its own, so that it has no path inside.
const listenerFD = 3

// keepArg as the first argument makes this program a keeper; see host.Keep.
const keepArg = "keep"

// Settings is what the host tells the guest, as one JSON object on standard
// input, which then stays open: its end is the end of the guest.
type Settings struct {
	Token  string          `json:"token,omitempty"` // when set every request needs it
	Home   string          `json:"home,omitempty"`  // where programs start; default: HOME
	Limits guestapi.Limits `json:"limits,omitzero"` // of each process; default: as they are
	Stack  json.RawMessage `json:"stack,omitempty"` // of the display stack, for OpenDisplay; absent: no display
}

// OpenDisplay makes a display stack of what the host said about it. It starts nothing.
type OpenDisplay func(stack json.RawMessage, log *slog.Logger) (Display, error)

// Main is the guest as a program: "deskhand guest" and, for itself, "deskhand
// guest keep …"; on the host, before the walls, "deskhand guest layer …" lays
// layers over folders. args are those after "guest". It returns the exit status.
//
// Call it from the main goroutine. It makes the process untraceable for
// programs of the same user (not dumpable, so that neither ptrace nor
// /proc/PID/mem, environ or fd nor pidfd_getfd work), adopts and reaps
// orphans, and ends in order on SIGTERM and at the end of stdin.
func Main(args []string, stdin io.Reader, stderr io.Writer, display OpenDisplay) int {
	if len(args) > 0 && args[0] == keepArg {
		return host.Keep(args[1:])
	}
	if len(args) > 0 && args[0] == overlay.Arg {
		return overlay.Main(args[1:], stderr)
	}
	log := slog.New(slog.NewTextHandler(stderr, nil))
	from := ""
	if len(args) == 2 && args[0] == guestapi.FromArg {
		from, args = args[1], nil
	}
	if len(args) > 0 {
		fmt.Fprintln(stderr, "deskhand guest takes no arguments; it is started by deskhand itself")
		return 2
	}
	if err := holdFirstThread(); err != nil {
		log.Error("the guest failed", "err", err)
		return 1
	}
	defer runtime.UnlockOSThread()
	if err := run(stdin, log, display, from); err != nil {
		log.Error("the guest failed", "err", err)
		return 1
	}
	return 0
}

func run(stdin io.Reader, log *slog.Logger, display OpenDisplay, from string) error {
	if err := harden(); err != nil {
		return err
	}
	if err := beSmall(); err != nil {
		return err
	}
	l, err := listener(from)
	if err != nil {
		return fmt.Errorf("there is no listening socket (the guest is started by deskhand, not by hand): %w", err)
	}
	input := json.NewDecoder(stdin)
	var s Settings
	if err := input.Decode(&s); err != nil {
		return errors.Join(fmt.Errorf("standard input does not hold the guest's settings: %w", err), l.Close())
	}
	reserveThreads(spareThreads)
	if err := limit(s.Limits); err != nil {
		return errors.Join(err, l.Close())
	}
	exe, err := os.Executable()
	if err != nil {
		return errors.Join(err, l.Close())
	}
	c := Config{
		Token: s.Token, Log: log,
		Host: host.Config{Home: s.Home, Env: os.Environ(), Keeper: []string{exe, "guest", keepArg}},
	}
	if s.Stack != nil {
		if display == nil {
			return errors.Join(errors.New("this guest has no display stack"), l.Close())
		}
		if c.Display, err = display(s.Stack, log); err != nil {
			return errors.Join(err, l.Close())
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // ends with the process
		_, _ = io.Copy(io.Discard, io.MultiReader(input.Buffered(), stdin))
		cancel()
	}()
	return reaping(func() error { return errors.Join(Run(ctx, c, l), leave()) })
}

// harden keeps the other programs of this user out, and this program's
// descriptors out of the others.
func harden() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("the guest cannot make itself untraceable: %w", err)
	}
	if err := unix.CloseRange(listenerFD, ^uint(0), unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return fmt.Errorf("the guest cannot keep its descriptors to itself: %w", err)
	}
	return nil
}

// listener returns what the guest listens on: descriptor 3, or what is handed
// out at the path from, where it could not be inherited.
func listener(from string) (net.Listener, error) {
	f, err := inherited(from)
	if err != nil {
		return nil, err
	}
	l, err := net.FileListener(f)
	return l, errors.Join(err, f.Close())
}

func inherited(from string) (*os.File, error) {
	if from != "" {
		return fetch(from)
	}
	return os.NewFile(listenerFD, "descriptor 3"), nil
}

func fetch(path string) (*os.File, error) {
	way, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	defer func() { _ = way.Close() }()
	return handover.Receive(way, "listener")
}
