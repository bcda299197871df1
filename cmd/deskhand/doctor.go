package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/deskhand/deskhand/internal/install"
	"github.com/deskhand/deskhand/internal/plaintext"
)

type doctorCmd struct {
	Fix  bool `help:"Install what is missing (Debian and Ubuntu, as root or with sudo)."`
	JSON bool `name:"json" help:"Print one JSON object instead of lines."`
}

// finding is what one check found.
type finding struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Needed bool   `json:"needed"`
	Detail string `json:"detail"`            // what is there, or what is wrong
	Mend   string `json:"mend,omitempty"`    // how to mend it
	Apt    string `json:"package,omitempty"` // the package that would
}

// doctorLimit bounds one check.
const doctorLimit = time.Minute

// Run checks everything, and mends what packages can mend.
func (c *doctorCmd) Run(ctx context.Context, a *app) error {
	found := a.examine(ctx)
	if c.Fix {
		tried, err := c.fix(ctx, a)
		if err != nil {
			return err
		}
		if tried {
			found = a.examine(ctx)
		}
	}
	healthy := true
	for _, f := range found {
		healthy = healthy && (f.OK || !f.Needed)
	}
	if c.JSON {
		printJSON(a.stdout, struct {
			OK     bool      `json:"ok"`
			Checks []finding `json:"checks"`
		}{healthy, found})
	} else {
		printFindings(a, found, healthy)
	}
	if !healthy {
		return &outcome{exitFailed}
	}
	return nil
}

func printFindings(a *app, found []finding, healthy bool) {
	s := newScreen(a.stdout, a.env)
	defer s.Close()
	apt := false
	for _, f := range found {
		switch {
		case f.OK:
			s.Line(green, "✓ "+plaintext.Line(f.Name+": "+f.Detail))
			continue
		case f.Needed:
			s.Line(red, "✗ "+plaintext.Line(f.Name+": "+f.Detail))
		default:
			s.Line(yellow, "– "+plaintext.Line(f.Name+": "+f.Detail))
		}
		if f.Mend != "" {
			s.Line(plain, "    "+plaintext.Line(f.Mend))
		}
		apt = apt || f.Apt != ""
	}
	switch {
	case apt && install.Here() != "":
		s.Line(plain, "deskhand doctor --fix installs what is missing.")
	case healthy:
		s.Line(plain, "All that is needed is there.")
	}
}

// fix installs the packages that are missing and reports whether it tried.
func (c *doctorCmd) fix(ctx context.Context, a *app) (bool, error) {
	distribution := install.Here()
	if distribution == "" {
		a.say("This is neither Debian nor Ubuntu. Install what these packages hold by other means: %s", strings.Join(install.Needed("debian"), " "))
		return false, nil
	}
	missing, err := install.Missing(ctx, install.Needed(distribution))
	if err != nil || len(missing) == 0 {
		return false, err
	}
	root := os.Geteuid() == 0
	for _, args := range install.Commands(missing, root) {
		if !root {
			if _, err := exec.LookPath("sudo"); err != nil {
				return false, usage("installing needs root: run as root: %s", strings.Join(args[1:], " "))
			}
		}
		a.say("$ %s", strings.Join(args, " "))
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = a.stdin, a.stderr, a.stderr // standard output stays for the findings
		if err := cmd.Run(); err != nil {
			return false, fmt.Errorf("%q failed (%w): see what it said above", strings.Join(args, " "), err)
		}
	}
	return true, nil
}
