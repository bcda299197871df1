// Package cgroup bounds what a group of processes may take of this machine:
// memory, number of processes, share of the processors. It uses version 2 or
// version 1 of the kernel's control groups, whichever this process may use, and
// says what it could bound.
//
// It must never touch groups that it did not make.
//
// Source: Linux, Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/.
package cgroup

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Limits are the bounds of a group. A zero field is no bound.
type Limits struct {
	Memory    int64 // bytes, swap included
	Processes int   // processes and threads
	Weight    int   // share of busy processors against others; 100 is everybody else's
}

// Group is a control group of our own. Its methods may be called concurrently.
type Group struct {
	version int
	dirs    []string // one in version 2, one for each controller in version 1
	bounds  []string // of: memory, processes, weight
}

const (
	prefix      = "deskhand-"
	removeLimit = 5 * time.Second // for the processes of a group to be gone
	trialLimit  = 5 * time.Second
)

// knob is one bound: the file to write and what to write, in both versions.
type knob struct {
	bound      string
	controller string
	file       [2]string // version 1, version 2
	value      func(Limits) [2]string
	set        func(Limits) bool
	optional   bool // the file may be missing (swap accounting is off)
}

func same(v int64) [2]string { s := strconv.FormatInt(v, 10); return [2]string{s, s} }

var knobs = []knob{
	{bound: "memory", controller: "memory", file: [2]string{"memory.limit_in_bytes", "memory.max"},
		value: func(l Limits) [2]string { return same(l.Memory) }, set: func(l Limits) bool { return l.Memory > 0 }},
	{bound: "memory", controller: "memory", file: [2]string{"memory.memsw.limit_in_bytes", "memory.swap.max"}, optional: true,
		value: func(l Limits) [2]string { return [2]string{same(l.Memory)[0], "0"} }, set: func(l Limits) bool { return l.Memory > 0 }},
	{bound: "processes", controller: "pids", file: [2]string{"pids.max", "pids.max"},
		value: func(l Limits) [2]string { return same(int64(l.Processes)) }, set: func(l Limits) bool { return l.Processes > 0 }},
	{bound: "weight", controller: "cpu", file: [2]string{"cpu.shares", "cpu.weight"},
		// Version 1 counts from 1024.
		value: func(l Limits) [2]string {
			return [2]string{same(int64(l.Weight) * 1024 / 100)[0], same(int64(l.Weight))[0]}
		},
		set: func(l Limits) bool { return l.Weight > 0 }},
}

// New makes a group with as many of the bounds as this process may set. It
// fails when it can set none of them, with the reason.
func New(l Limits) (*Group, error) {
	places, err := placesOf("/proc/self")
	if err != nil {
		return nil, err
	}
	var reasons []error
	for _, p := range places.v2 {
		g, err := make2(p, l)
		if err == nil {
			return g, nil
		}
		reasons = append(reasons, err)
	}
	g, err := make1(places.v1, l)
	if err == nil {
		return g, nil
	}
	return nil, errors.Join(append(reasons, err)...)
}

// Version is 1 or 2.
func (g *Group) Version() int { return g.version }

// Bounds returns what is bounded, of: memory, processes, weight.
func (g *Group) Bounds() []string { return slices.Clone(g.bounds) }

// Command returns the arguments that run argv inside the group: a shell that
// enters it and becomes argv. No part of argv is read by the shell.
func (g *Group) Command(argv []string) []string {
	args := []string{"/bin/sh", "-c", `while [ "$1" != -- ]; do echo 0 >"$1" || exit 125; shift; done; shift; exec "$@"`, "sh"}
	for _, dir := range g.dirs {
		args = append(args, filepath.Join(dir, "cgroup.procs"))
	}
	return append(append(args, "--"), argv...)
}

// Kills returns how many processes the kernel has ended because the group had
// no memory left.
func (g *Group) Kills() (int, error) {
	for _, dir := range g.dirs {
		for _, name := range []string{"memory.events", "memory.oom_control"} {
			data, err := os.ReadFile(filepath.Join(dir, name))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			} else if err != nil {
				return 0, err
			}
			for line := range strings.Lines(string(data)) {
				if n, ok := strings.CutPrefix(strings.TrimSpace(line), "oom_kill "); ok {
					return strconv.Atoi(n)
				}
			}
		}
	}
	return 0, nil
}

// Close removes the group once its processes are gone; the caller has ended
// them. When they are not gone in time the group stays and the error says so.
func (g *Group) Close() error {
	var errs []error
	for _, dir := range g.dirs {
		errs = append(errs, remove(dir, time.Now().Add(removeLimit)))
	}
	return errors.Join(errs...)
}

// remove waits until the group is empty. The kernel tells nobody in version 1,
// so that it has to be asked again.
func remove(dir string, until time.Time) error {
	again := time.NewTicker(2 * time.Millisecond)
	defer again.Stop()
	for {
		err := os.Remove(dir)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if !errors.Is(err, unix.EBUSY) || time.Now().After(until) {
			return fmt.Errorf("a control group cannot be removed: %w", err)
		}
		<-again.C
	}
}

// name is that of a new group: the maker's process, so that what a dead one
// left can be told, and something random.
func name() string {
	var raw [4]byte
	_, _ = unix.Getrandom(raw[:], 0)
	return fmt.Sprintf("%s%d-%x", prefix, os.Getpid(), raw)
}

// tidy removes groups in dir whose makers are dead. Those with processes stay.
func tidy(dir string) {
	old, _ := filepath.Glob(filepath.Join(dir, prefix+"*"))
	for _, g := range old {
		pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(g), prefix), "-")
		if n, err := strconv.Atoi(pid); err == nil && n != os.Getpid() && errors.Is(unix.Kill(n, 0), unix.ESRCH) {
			_ = os.Remove(g) // it has processes, or is gone: both are well
		}
	}
}

// bound writes the knobs of a controller ("" is all of them).
func bound(dir string, version int, controller string, l Limits) ([]string, error) {
	var set []string
	var errs []error
	for _, k := range knobs {
		if controller != "" && k.controller != controller || !k.set(l) {
			continue
		}
		err := os.WriteFile(filepath.Join(dir, k.file[version-1]), []byte(k.value(l)[version-1]), 0)
		switch {
		case err == nil && !slices.Contains(set, k.bound):
			set = append(set, k.bound)
		case err != nil && !k.optional:
			errs = append(errs, err)
		}
	}
	if len(set) == 0 {
		return nil, errors.Join(errs...)
	}
	return set, nil
}

// enterable checks that a process can be put into the group: being allowed to
// make one is not enough where the tree belongs to somebody else.
func (g *Group) enterable() error {
	ctx, cancel := context.WithTimeoutCause(context.Background(), trialLimit, errors.New("entering a control group took too long"))
	defer cancel()
	argv := g.Command([]string{"/bin/sh", "-c", ":"})
	trial := exec.CommandContext(ctx, argv[0], argv[1:]...)
	trial.Env = []string{}
	if err := trial.Run(); err != nil {
		return fmt.Errorf("a process cannot be put into a control group of our own (%s): %w", g.dirs[0], err)
	}
	return nil
}

func make2(parent string, l Limits) (*Group, error) {
	tidy(parent)
	dir := filepath.Join(parent, name())
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	// Controllers reach a group only when its parent hands them down.
	for _, c := range []string{"+memory", "+pids", "+cpu"} {
		_ = os.WriteFile(filepath.Join(parent, "cgroup.subtree_control"), []byte(c), 0) // it shows in what can be bound
	}
	set, err := bound(dir, 2, "", l)
	if err == nil && l.Memory > 0 && !slices.Contains(set, "memory") {
		err = fmt.Errorf("%s hands down no memory controller", parent)
	}
	g := &Group{version: 2, dirs: []string{dir}, bounds: set}
	if err == nil {
		err = g.enterable()
	}
	if err != nil {
		return nil, errors.Join(err, remove(dir, time.Now().Add(removeLimit)))
	}
	return g, nil
}

func make1(parents map[string]string, l Limits) (*Group, error) {
	if len(parents) == 0 {
		return nil, errors.New("no control groups of version 1 are mounted")
	}
	g := &Group{version: 1}
	var errs []error
	for _, controller := range []string{"memory", "pids", "cpu"} {
		parent, ok := parents[controller]
		if !ok {
			continue
		}
		tidy(parent)
		dir := filepath.Join(parent, name())
		if err := os.Mkdir(dir, 0o755); err != nil {
			errs = append(errs, err)
			continue
		}
		set, err := bound(dir, 1, controller, l)
		one := &Group{version: 1, dirs: []string{dir}}
		if err == nil {
			err = one.enterable()
		}
		if err != nil || len(set) == 0 {
			errs = append(errs, err, remove(dir, time.Now().Add(removeLimit)))
			continue
		}
		g.dirs, g.bounds = append(g.dirs, dir), append(g.bounds, set...)
	}
	if len(g.dirs) == 0 {
		return nil, errors.Join(errs...)
	}
	return g, nil
}

// places are the directories in which this process may be able to make groups.
type places struct {
	v2 []string          // nearest first
	v1 map[string]string // by controller
}

// placesOf reads where the process whose directory of /proc is proc stands.
func placesOf(proc string) (places, error) {
	own, err := paths(filepath.Join(proc, "cgroup"))
	if err != nil {
		return places{}, err
	}
	f, err := os.Open(filepath.Join(proc, "mountinfo"))
	if err != nil {
		return places{}, err
	}
	defer f.Close()
	p := places{v1: map[string]string{}}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		// 36 35 98:0 ROOT MOUNTPOINT options … - TYPE SOURCE super,options
		left, right, ok := strings.Cut(lines.Text(), " - ")
		l, r := strings.Fields(left), strings.Fields(right)
		if !ok || len(l) < 5 || len(r) < 3 {
			continue
		}
		root, point := l[3], l[4]
		switch r[0] {
		case "cgroup2":
			p.v2 = append(p.v2, upwards(point, within(root, own[""]))...)
		case "cgroup":
			for _, controller := range strings.Split(r[2], ",") {
				if path, ok := own[controller]; ok {
					p.v1[controller] = filepath.Join(point, within(root, path))
				}
			}
		}
	}
	return p, lines.Err()
}

// paths returns the group of each controller of version 1, and of version 2 under "".
func paths(file string) (map[string]string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	own := map[string]string{}
	for line := range strings.Lines(string(data)) {
		part := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(part) != 3 {
			continue
		}
		for _, controller := range strings.Split(part[1], ",") {
			own[controller] = part[2]
		}
	}
	return own, nil
}

// within returns path below the root of a mount, "/" when it lies outside.
func within(root, path string) string {
	if rest, ok := strings.CutPrefix(path, strings.TrimSuffix(root, "/")); ok && (rest == "" || rest[0] == '/') && !strings.Contains(rest, "/..") {
		return "/" + strings.TrimPrefix(rest, "/")
	}
	return "/"
}

// upwards returns point/path and its parents up to point.
func upwards(point, path string) []string {
	var all []string
	for ; path != "/"; path = filepath.Dir(path) {
		all = append(all, filepath.Join(point, path))
	}
	return append(all, point)
}
