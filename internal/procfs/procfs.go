// Package procfs reads the table of processes from /proc and ends processes
// without mistaking a reused number for an old process.
//
// Trust: names of processes are hostile text; nothing here interprets them.
package procfs

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"strings"
)

// Process is one row of the table.
type Process struct {
	PID     int
	Parent  int
	Group   int
	Session int
	State   byte   // as in /proc/PID/stat: R, S, D, T, Z, X …
	Start   uint64 // clock ticks since boot: with PID it names a process
}

// Ended reports whether p has ended and only waits to be reaped.
func (p Process) Ended() bool { return p.State == 'Z' || p.State == 'X' }

// List returns every process that this one can see.
func List() ([]Process, error) {
	d, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	names, err := d.Readdirnames(-1)
	if err := errors.Join(err, d.Close()); err != nil {
		return nil, err
	}
	var all []Process
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if p, err := Read(pid); err == nil { // it may have ended since
			all = append(all, p)
		}
	}
	return all, nil
}

// Read returns the row of one process.
func Read(pid int) (Process, error) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return Process{}, err
	}
	return parseStat(data)
}

// parseStat reads "PID (NAME) STATE PPID PGRP SESSION … STARTTIME …". The name
// may hold anything, closing brackets too, so that the last one counts.
func parseStat(data []byte) (Process, error) {
	open, shut := bytes.IndexByte(data, '('), bytes.LastIndexByte(data, ')')
	if open < 0 || shut < open {
		return Process{}, errors.New("a line of /proc/PID/stat has no name")
	}
	f := strings.Fields(string(data[shut+1:]))
	if len(f) < 20 || len(f[0]) != 1 {
		return Process{}, errors.New("a line of /proc/PID/stat is too short")
	}
	p := Process{State: f[0][0]}
	var errs [5]error
	p.PID, errs[0] = strconv.Atoi(strings.TrimSpace(string(data[:open])))
	p.Parent, errs[1] = strconv.Atoi(f[1])
	p.Group, errs[2] = strconv.Atoi(f[2])
	p.Session, errs[3] = strconv.Atoi(f[3])
	p.Start, errs[4] = strconv.ParseUint(f[19], 10, 64)
	return p, errors.Join(errs[:]...)
}

// Below returns the descendants of root among all, root not included.
func Below(all []Process, root int) []Process {
	children := map[int][]Process{}
	for _, p := range all {
		children[p.Parent] = append(children[p.Parent], p)
	}
	var found []Process
	for next := []int{root}; len(next) > 0; {
		kids := children[next[0]]
		delete(children, next[0])
		next = next[1:]
		for _, p := range kids {
			found = append(found, p)
			next = append(next, p.PID)
		}
	}
	return found
}
