package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/deskhand/deskhand/sandbox"
	"github.com/deskhand/deskhand/sandbox/remote"
)

// holder is what the process that keeps a desktop up says of itself.
type holder struct {
	PID int `json:"pid"`
}

func (p *place) desktopDir() string { return filepath.Join(p.state(), "desktops", p.desktop()) }

// holder returns the process that keeps the task's desktop up.
func (p *place) holder() (h holder, err error) {
	data, err := os.ReadFile(filepath.Join(p.desktopDir(), "state.json"))
	if err != nil {
		return h, err
	}
	return h, json.Unmarshal(data, &h)
}

// inside reaches the task's desktop as another program of this machine does.
func (p *place) inside() *remote.Sandbox {
	dir := p.desktopDir()
	return remote.New(remote.Config{Dial: func(ctx context.Context) (net.Conn, error) {
		d, err := os.Open(dir)
		if err != nil {
			return nil, err
		}
		defer d.Close()
		// By way of a descriptor: sockets take short paths only.
		return new(net.Dialer).DialContext(ctx, "unix", "/proc/self/fd/"+strconv.Itoa(int(d.Fd()))+"/socket")
	}})
}

// browser shows the page over the whole screen.
var browser = []string{"sh", "-c", `touch ~/effects.js && exec chromium --kiosk "file://$HOME/page.html"`}

// show opens the page in a browser, unless it is shown already, and lets the
// model be heard once it can be seen. The browser is nobody's but this
// program's: it outlives what drives the task.
func (p *place) show(ctx context.Context) error {
	_, shown, err := p.counted(ctx)
	if err != nil {
		return err
	}
	if !shown {
		if err := p.openPage(ctx); err != nil {
			return err
		}
	}
	if err := p.seen(ctx); err != nil {
		return err
	}
	p.player.show()
	return nil
}

func (p *place) openPage(ctx context.Context) error {
	sb := p.inside()
	_, err := sb.WriteFile(ctx, "/home/user/page.html", []byte(page), sandbox.WriteOptions{})
	if err != nil {
		return errors.Join(err, sb.Close())
	}
	run, err := sb.Exec(ctx, sandbox.Cmd{Args: browser})
	if err != nil {
		return errors.Join(err, sb.Close())
	}
	said := make(chan struct{}, 2)
	for _, r := range []io.Reader{run.Stdout(), run.Stderr()} {
		go func() { _, _ = io.Copy(io.Discard, r); said <- struct{}{} }()
	}
	p.shows = append(p.shows, func() error {
		_ = run.Kill() // the desktop may be gone, and the browser with it
		err := sb.Close()
		<-said
		<-said
		return err
	})
	return nil
}

// seen waits until the page is on the screen.
func (p *place) seen(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, openLimit, fmt.Errorf("the page is not shown within %s", openLimit))
	defer cancel()
	for {
		if _, shown, err := p.counted(ctx); err == nil && shown {
			return nil
		}
		if !pause(ctx, pollEvery) {
			return context.Cause(ctx)
		}
	}
}

// needed names a program that is not installed, "" when all are.
func needed() string {
	for _, name := range []string{"Xvfb", "bwrap", "mutter", "chromium"} {
		if _, err := exec.LookPath(name); err != nil {
			return name
		}
	}
	return ""
}
