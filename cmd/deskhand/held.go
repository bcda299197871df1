package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/procfs"
	"github.com/deskhand/deskhand/sandbox"
)

// held is a desktop that a process of its own keeps up: what that process has
// written about itself in the desktop's directory.
type held struct {
	Name    string        `json:"name"`
	PID     int           `json:"pid"`
	Start   uint64        `json:"start"` // of the process, so that a reused PID is not taken for it
	Size    deskhand.Size `json:"size"`
	Created time.Time     `json:"created"`
	Walls   sandbox.Walls `json:"walls"`
	Parked  bool          `json:"parked,omitempty"` // it is there for as long as its task may go on
}

// desktops is the directory of the desktops that are held, each in a directory
// of its name with state.json, two sockets, holder.log and what the machine keeps.
type desktops struct{ dir string }

const (
	stateFile  = "state.json"
	socketFile = "socket" // leads to the guest
	toldFile   = "told"   // says what the desktop's process has to tell; see told.go
	logFile    = "holder.log"
)

func (a *app) desktops() (desktops, error) {
	home, err := a.home()
	if err != nil {
		return desktops{}, err
	}
	dir := filepath.Join(home, "desktops")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return desktops{}, usage("%s cannot be made (%s): point DESKHAND_HOME at a directory of your own", dir, cause(err))
	}
	return desktops{dir}, nil
}

// nameForm is the form of a desktop's name: it becomes a directory.
var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

func (d desktops) path(name, file string) string { return filepath.Join(d.dir, name, file) }

// reserve makes the directory of a new desktop. Without a name the first free
// one of desktop-1, desktop-2 … is taken. Conflict: the name is in use.
func (d desktops) reserve(name string) (string, error) {
	if name != "" && !nameForm.MatchString(name) {
		return "", usage("%q is not a name for a desktop: use up to 32 lower-case letters, digits and dashes", name)
	}
	if name != "" {
		err := d.make(name)
		if errors.Is(err, fs.ErrExist) {
			return "", deskhand.Errorf("", deskhand.Conflict, "there is a desktop %q already: choose another --name, or remove it with deskhand desktop rm %s", name, name)
		}
		return name, err
	}
	for n := 1; ; n++ {
		name := fmt.Sprintf("desktop-%d", n)
		if err := d.make(name); !errors.Is(err, fs.ErrExist) {
			return name, err
		}
	}
}

// make makes the directory of a desktop, first clearing away one whose process
// died. fs.ErrExist: it is alive, or coming up.
func (d desktops) make(name string) error {
	if err := os.Mkdir(filepath.Join(d.dir, name), 0o700); !errors.Is(err, fs.ErrExist) {
		return err
	}
	if _, err := d.get(name); deskhand.CodeOf(err) != deskhand.NotFound {
		return fs.ErrExist
	}
	return os.Mkdir(filepath.Join(d.dir, name), 0o700)
}

// publish writes what there is to know about a desktop that is up.
func (d desktops) publish(h held) error {
	data, err := json.Marshal(h)
	if err != nil {
		return err
	}
	tmp := d.path(h.Name, stateFile+".new")
	if err := os.WriteFile(tmp, data, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, d.path(h.Name, stateFile))
}

// reserved is how long a desktop's directory may be without a process that
// brings it up before it counts as left behind.
const reserved = 5 * time.Second

// comingUp reports whether a process brings the desktop up, which holds a lock
// on its log, or is about to be started.
func (d desktops) comingUp(name string) bool {
	log, err := os.Open(d.path(name, logFile))
	if err == nil {
		defer log.Close()
		if errors.Is(unix.Flock(int(log.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK) {
			return true
		}
	}
	info, err := os.Stat(filepath.Join(d.dir, name))
	return err == nil && time.Since(info.ModTime()) < reserved
}

// await is get that waits for a desktop that is still coming up, as one is whose
// task was killed meanwhile. NotFound; Unavailable: it took too long.
func (d desktops) await(ctx context.Context, name string) (held, error) {
	ctx, cancel := context.WithTimeout(ctx, holdLimit)
	defer cancel()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		h, err := d.get(name)
		if deskhand.CodeOf(err) != deskhand.Unavailable {
			return h, err
		}
		select {
		case <-ctx.Done():
			return h, err
		case <-look.C:
		}
	}
}

// lookEvery is how often a desktop that is coming up is looked for.
const lookEvery = 50 * time.Millisecond

// get returns a desktop that is up. What is left of one whose process died is
// removed. NotFound; Unavailable: it is still coming up.
func (d desktops) get(name string) (held, error) {
	none := deskhand.Errorf("", deskhand.NotFound, `there is no desktop %q: "deskhand desktop ls" shows those there are`, name)
	if !nameForm.MatchString(name) {
		return held{}, none
	}
	data, err := os.ReadFile(d.path(name, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		if d.comingUp(name) {
			return held{}, deskhand.Errorf("", deskhand.Unavailable, "the desktop %q is still coming up: try again in a moment", name)
		}
		return held{}, errors.Join(none, d.forget(name))
	} else if err != nil {
		return held{}, deskhand.E("desktop", deskhand.Internal, err)
	}
	var h held
	if err := json.Unmarshal(data, &h); err != nil || h.Name != name || !h.alive() {
		return held{}, errors.Join(none, d.forget(name))
	}
	return h, nil
}

// alive reports whether the process that wrote h is still there.
func (h held) alive() bool {
	p, err := procfs.Read(h.PID)
	return err == nil && p.Start == h.Start && !p.Ended()
}

// ended waits until the process that wrote h has ended, and reports whether it
// did so within limit.
func (h held) ended(limit time.Duration) bool {
	p, err := procfs.Open(procfs.Process{PID: h.PID, Start: h.Start})
	if err != nil {
		return errors.Is(err, unix.ESRCH)
	}
	defer func() { _ = p.Close() }()
	return p.Wait(limit)
}

// forget removes what is kept of a desktop.
func (d desktops) forget(name string) error { return os.RemoveAll(filepath.Join(d.dir, name)) }

// list returns the desktops that are up, oldest first.
func (d desktops) list() ([]held, error) {
	entries, err := os.ReadDir(d.dir)
	if err != nil {
		return nil, deskhand.E("desktop", deskhand.Internal, err)
	}
	all := []held{}
	for _, e := range entries {
		if h, err := d.get(e.Name()); err == nil {
			all = append(all, h)
		}
	}
	slices.SortFunc(all, func(x, y held) int {
		return cmp.Or(x.Created.Compare(y.Created), cmp.Compare(x.Name, y.Name))
	})
	return all, nil
}

// through calls f with a short path of a socket of the desktop's: sockets take paths
// of at most 107 bytes, state directories may be deeper.
func (d desktops) through(name, socket string, f func(path string) error) error {
	dir, err := os.Open(filepath.Join(d.dir, name))
	if err != nil {
		return deskhand.E("desktop", deskhand.NotFound, err)
	}
	defer dir.Close()
	return f(fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), socket))
}

// listen makes a socket of the desktop's.
func (d desktops) listen(name, socket string) (l net.Listener, err error) {
	err = d.through(name, socket, func(path string) error {
		unixListener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err == nil {
			unixListener.SetUnlinkOnClose(false) // the path is only good in here; the directory goes as a whole
			l = unixListener
		}
		return err
	})
	return l, err
}

// dial opens a connection to a socket of the desktop's.
func (d desktops) dial(ctx context.Context, name, socket string) (c net.Conn, err error) {
	err = d.through(name, socket, func(path string) error {
		c, err = (&net.Dialer{}).DialContext(ctx, "unix", path)
		return err
	})
	return c, deskhand.E("", deskhand.Unavailable, err)
}

// Bounds of the end of a desktop: for an orderly one, then for the forced one.
const (
	orderlyEnd = 15 * time.Second
	forcedEnd  = 5 * time.Second
)

// end ends the desktop's process, with everything on the desktop, and removes
// what is kept of it.
func (d desktops) end(h held) error {
	process, err := procfs.Open(procfs.Process{PID: h.PID, Start: h.Start})
	if errors.Is(err, unix.ESRCH) {
		return d.forget(h.Name)
	} else if err == nil {
		defer func() { _ = process.Close() }()
		err = endProcess(process)
	}
	if err != nil {
		return deskhand.Errorf("desktop: rm", deskhand.Unavailable, "the desktop %q cannot be ended: %w", h.Name, err)
	}
	return d.forget(h.Name)
}

// endProcess asks first. What the desktop's process had started dies with it.
func endProcess(p procfs.Handle) error {
	for _, try := range []struct {
		sig   unix.Signal
		limit time.Duration
	}{{unix.SIGTERM, orderlyEnd}, {unix.SIGKILL, forcedEnd}} {
		if err := p.Signal(try.sig); errors.Is(err, unix.ESRCH) {
			return nil
		} else if err != nil {
			return err
		}
		if p.Wait(try.limit) {
			return nil
		}
	}
	return errors.New("its process does not end")
}
