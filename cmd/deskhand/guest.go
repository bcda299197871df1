package main

import (
	"github.com/deskhand/deskhand/demo"
)

type guestCmd struct {
	Args []string `arg:"" optional:""`
}

// Run is the program inside the sandbox, or one of its small companions there.
func (c *guestCmd) Run(a *app) error {
	var status int
	if len(c.Args) > 0 && c.Args[0] == "form" {
		status = demo.Serve(c.Args[1:], a.stdout, a.stderr)
	} else {
		status = guestMain(c.Args, a.stdin, a.stderr)
	}
	if status != 0 {
		return &outcome{status}
	}
	return nil
}
