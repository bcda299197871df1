package main

import "github.com/deskhand/deskhand/model"

// grammar is the command line. Names are stable from the first release.
type grammar struct {
	Run     runCmd     `cmd:"" help:"Run one task and watch it."`
	Task    taskCmd    `cmd:"" help:"Tasks: list, show, watch, message, answer, interrupt, stop, resume, export, rm."`
	Desktop desktopCmd `cmd:"" help:"A desktop without a model: up, ls, shot, view, rm."`
	Policy  policyCmd  `cmd:"" help:"Rules for what is asked about: test, check."`
	Doctor  doctorCmd  `cmd:"" help:"Check what this machine has and what is missing; --fix installs it."`
	Serve   serveCmd   `cmd:"" passthrough:"" help:"Web app and API (not yet)."`
	MCP     mcpCmd     `cmd:"" passthrough:"" name:"mcp" help:"The same tools as an MCP server (not yet)."`
	Version versionCmd `cmd:"" help:"Print the version."`
	Guest   guestCmd   `cmd:"" hidden:"" passthrough:"" help:"Inside a sandbox only."`
}

// later takes anything, so that what is not there yet says so whatever is asked of it.
type later struct {
	Rest []string `arg:"" optional:""`
}

type serveCmd struct {
	later
}

// Run refuses.
func (serveCmd) Run() error { return notYet("deskhand serve") }

type mcpCmd struct {
	later
}

// Run refuses.
func (mcpCmd) Run() error { return notYet("deskhand mcp") }

func defaultModel() string { return model.Default }
