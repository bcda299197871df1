package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/deskhand/deskhand/internal/procfs"
)

// victim is a part of the task's desktop that can be killed by itself.
type victim string

// The victims.
const (
	theGuest   victim = "guest"
	theServer  victim = "Xvfb"
	theBrowser victim = "browser"
)

// is reports whether a process with this command line is the victim.
func (v victim) is(args []string) bool {
	switch v {
	case theGuest:
		return len(args) == 2 && strings.HasSuffix(args[0], "/deskhand") && args[1] == "guest"
	case theServer:
		return strings.HasSuffix(args[0], "/Xvfb")
	case theBrowser: // its main process: all others have a type
		line := strings.Join(args, " ") // Chromium writes it over as one text
		return strings.Contains(line, "/chromium/chromium ") && strings.Contains(line, " --kiosk") && !strings.Contains(line, " --type=")
	}
	return false
}

// commandLine returns the arguments of a process, none when it has ended.
func commandLine(pid int) []string {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	if err != nil || len(data) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(data), "\x00"), "\x00")
}

// below returns what runs on the task's desktop, seen from outside, and what
// keeps it up.
func (p *place) below() (keeper procfs.Process, all []procfs.Process, err error) {
	h, err := p.holder()
	if err != nil {
		return keeper, nil, err
	}
	if keeper, err = procfs.Read(h.PID); err != nil {
		return keeper, nil, err
	}
	table, err := procfs.List()
	return keeper, procfs.Below(table, h.PID), err
}

// find returns the victim on the task's desktop.
func (p *place) find(v victim) (procfs.Process, error) {
	_, all, err := p.below()
	if err != nil {
		return procfs.Process{}, err
	}
	for _, one := range all {
		if args := commandLine(one.PID); len(args) > 0 && v.is(args) {
			return one, nil
		}
	}
	return procfs.Process{}, fmt.Errorf("no %s runs on the desktop", v)
}

// strike sends a signal to one process, never to another one with its number.
func strike(one procfs.Process, sig unix.Signal) error {
	h, err := procfs.Open(one)
	if err != nil {
		return err
	}
	return errors.Join(h.Signal(sig), h.Close())
}

func (p *place) signal(v victim, sig unix.Signal) error {
	one, err := p.find(v)
	if err != nil {
		return err
	}
	return strike(one, sig)
}

const allGone = 30 * time.Second // for what was killed to be gone

// cutPower kills everything of the task at once: what drives it, what keeps its
// desktop up, and every process on it. Nothing gets to tidy up.
func (p *place) cutPower(run *process) error {
	keeper, all, err := p.below()
	if err != nil {
		return err
	}
	runtime, err := procfs.Read(run.cmd.Process.Pid)
	if err != nil {
		return err
	}
	victims := append([]procfs.Process{runtime, keeper}, all...)
	if !procfs.End(victims, time.Now().Add(allGone)) {
		return errors.New("something of the task outlived a SIGKILL")
	}
	return nil
}
