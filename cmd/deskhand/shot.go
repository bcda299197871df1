package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	remotedesktop "github.com/deskhand/deskhand/desktop/remote"
	"github.com/deskhand/deskhand/sandbox/remote"
)

type desktopShotCmd struct {
	Name   string `arg:"" optional:"" help:"Name of the desktop (default: the only one)."`
	Out    string `short:"o" name:"output" placeholder:"FILE" help:"Where to write; - is standard output (default NAME.png here)."`
	Size   string `placeholder:"WxH" help:"Size of the picture (default: the desktop's)."`
	Format string `enum:",png,jpeg" default:"" placeholder:"FORM" help:"png or jpeg (default: as the file's name says, else png)."`
	Force  bool   `help:"Overwrite a file that is there."`
}

// shotLimit bounds how long a desktop may take to show itself.
const shotLimit = 15 * time.Second

// Run takes the picture.
func (c *desktopShotCmd) Run(ctx context.Context, a *app) error {
	shot := desktop.Shot{Format: formatOf(c.Format, c.Out), Cursor: true}
	var err error
	if c.Size != "" {
		if shot.Size, err = deskhand.ParseSize(c.Size); err != nil {
			return usage("--size %q is not a size: write it as 1280x800", c.Size)
		}
	}
	d, h, err := a.upDesktop(c.Name)
	if err != nil {
		return err
	}
	place := d.attach(h)
	defer func() { _ = place.Close() }()
	ctx, cancel := context.WithTimeoutCause(ctx, shotLimit, errors.New("the desktop did not show itself in time"))
	defer cancel()
	p, err := remotedesktop.New(place.HTTP(), "").Screen(ctx, shot)
	if err != nil {
		return err
	}
	write := func(w io.Writer) error { _, err := w.Write(p.Data); return err }
	if c.Out == "-" {
		return write(a.stdout)
	}
	path := c.Out
	if path == "" {
		path = h.Name + "." + map[desktop.Format]string{desktop.PNG: "png", desktop.JPEG: "jpg"}[shot.Format]
	}
	if err := writeWhole(path, c.Force, write); err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "Wrote %s (%s, %d bytes).\n", path, p.Size, len(p.Data))
	return nil
}

func formatOf(flag, path string) desktop.Format {
	ext := strings.ToLower(filepath.Ext(path))
	if flag == "jpeg" || flag == "" && (ext == ".jpg" || ext == ".jpeg") {
		return desktop.JPEG
	}
	return desktop.PNG
}

// attach returns the place of a desktop that another process holds. Closing it
// leaves the desktop up.
func (d desktops) attach(h held) *remote.Sandbox {
	return remote.New(remote.Config{
		Dial:  func(ctx context.Context) (net.Conn, error) { return d.dial(ctx, h.Name, socketFile) },
		Walls: h.Walls,
	})
}
