package main

import (
	"os"
	"runtime"

	"github.com/deskhand/deskhand/demo"
)

// init keeps the guest's main goroutine on the process's first thread, which it
// reaps orphans on. The runtime holds it there while packages are initialised
// and lets go before main, so that this is the only place to ask.
//
//nolint:gochecknoinits // see above
func init() {
	if len(os.Args) > 1 && os.Args[1] == "guest" {
		runtime.LockOSThread()
	}
}

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
