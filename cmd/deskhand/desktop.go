package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/machine"
	"github.com/deskhand/deskhand/transcript"
)

type desktopCmd struct {
	Up   desktopUpCmd   `cmd:"" help:"Start a desktop and leave it up."`
	Ls   desktopLsCmd   `cmd:"" help:"List the desktops that are up."`
	Shot desktopShotCmd `cmd:"" help:"Take a picture of a desktop."`
	View desktopViewCmd `cmd:"" help:"Look at a desktop in a browser while it lives."`
	Rm   desktopRmCmd   `cmd:"" help:"End desktops."`
	Hold desktopHoldCmd `cmd:"" hidden:"" help:"Keep a desktop up (what desktop up starts)."`
}

type desktopUpCmd struct {
	Name    string `placeholder:"NAME" help:"Name of the desktop (default: the first free one of desktop-1, desktop-2 …)."`
	Size    string `default:"1280x800" placeholder:"WxH" help:"Size of the desktop in pixels (default 1280x800)."`
	Scale   int    `default:"1" placeholder:"N" help:"Magnification of everything on it, 1 to 3 (default 1)."`
	Sandbox string `default:"bwrap" enum:"bwrap,oci,none" placeholder:"KIND" help:"Walls around the desktop: bwrap, oci (not yet) or none (default bwrap)."`
}

// Run starts a desktop in a process of its own and returns when it is ready.
func (c *desktopUpCmd) Run(ctx context.Context, a *app) error {
	size, err := screenSize(c.Size, c.Scale)
	if err != nil {
		return err
	}
	if c.Sandbox == string(machine.OCI) {
		return notYet("--sandbox oci for a desktop that is kept up")
	}
	if c.Sandbox == string(machine.None) {
		loudly(a.stderr)
	}
	h, err := a.hold(ctx, desktopHoldCmd{Name: c.Name, Size: size.String(), Scale: c.Scale, Sandbox: c.Sandbox}, deskhand.Task{})
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "%s is up (%s, sandbox %s).\nLook at it: deskhand desktop view %s · picture: deskhand desktop shot %s · end: deskhand desktop rm %s\n",
		h.Name, h.Size, h.Walls.Driver, h.Name, h.Name, h.Name)
	return nil
}

type desktopLsCmd struct {
	JSON bool `name:"json" help:"Print one JSON array instead of a table."`
}

// Run lists.
func (c *desktopLsCmd) Run(a *app) error {
	d, err := a.desktops()
	if err != nil {
		return err
	}
	all, err := d.list()
	if err != nil {
		return err
	}
	if c.JSON {
		printJSON(a.stdout, all)
		return nil
	}
	if len(all) == 0 {
		fmt.Fprintln(a.stdout, "No desktop is up. Start one with: deskhand desktop up")
		return nil
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tSIZE\tSANDBOX\tUP FOR\tPID")
	for _, h := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\n", h.Name, h.Size, h.Walls.Driver, transcript.Seconds(time.Since(h.Created)), h.PID)
	}
	return w.Flush()
}

type desktopRmCmd struct {
	Names []string `arg:"" optional:"" name:"name" help:"Names of desktops."`
	All   bool     `help:"End all desktops."`
}

// Run ends desktops. One that cannot be ended does not stop the others.
func (c *desktopRmCmd) Run(a *app) error {
	if c.All == (len(c.Names) > 0) {
		return usage("name the desktops to end, or give --all; deskhand desktop ls shows those there are")
	}
	d, err := a.desktops()
	if err != nil {
		return err
	}
	var doomed []held
	if c.All {
		if doomed, err = d.list(); err != nil {
			return err
		}
	}
	for _, name := range c.Names {
		h, err := d.get(name)
		if err != nil {
			return firstOf(err)
		}
		doomed = append(doomed, h)
	}
	var errs []error
	for _, h := range doomed {
		if err := d.end(h); err != nil {
			errs = append(errs, err)
			continue
		}
		fmt.Fprintf(a.stdout, "%s is gone.\n", h.Name)
	}
	if len(doomed) == 0 {
		fmt.Fprintln(a.stdout, "No desktop is up.")
	}
	return errors.Join(errs...)
}

// upDesktop returns the desktop of that name, which must be up. Without a name,
// the only one there is.
func (a *app) upDesktop(name string) (desktops, held, error) {
	d, err := a.desktops()
	if err != nil {
		return d, held{}, err
	}
	if name == "" {
		all, err := d.list()
		if err == nil && len(all) != 1 {
			err = usage("%s: say which desktop you mean", map[bool]string{true: "no desktop is up", false: "several desktops are up"}[len(all) == 0])
		}
		if err != nil {
			return d, held{}, err
		}
		return d, all[0], nil
	}
	h, err := d.get(name)
	if err != nil {
		return d, h, firstOf(err)
	}
	return d, h, nil
}

var errGone = deskhand.Errorf("", deskhand.Unavailable, "the desktop is gone: start another with deskhand desktop up")
