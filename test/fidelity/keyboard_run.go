package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// keyboardCommand is the name under which this program measures the matrix.
const keyboardCommand = "keyboard"

// keyboardOrder is what a person asks of the matrix.
type keyboardOrder struct {
	targets     []string
	layouts     []layoutCase
	texts       []textCase
	hindrances  []hindrance
	repetitions int
	peer        bool
	fault       string
	out         string
	command     string // as typed, for the report
}

// allTargets are the targets in the order of the report.
func allTargets() []string { return []string{terminal, editor, area} }

func readKeyboardOrder(args []string, stderr io.Writer) (o keyboardOrder, err error) {
	flags := flag.NewFlagSet(keyboardCommand, flag.ContinueOnError)
	flags.SetOutput(stderr)
	targets := flags.String("targets", "", "programs, separated by commas; default: all")
	layouts := flags.String("layouts", "", "layouts, separated by semicolons; default: all")
	texts := flags.String("texts", "", "texts, separated by semicolons; default: all")
	hindrances := flags.String("hindrances", "", "what gets in the way, separated by semicolons, or none; default: all")
	flags.IntVar(&o.repetitions, "repetitions", 5, "typings of each text")
	flags.BoolVar(&o.peer, "xdotool", false, "type the same once with xdotool too")
	flags.StringVar(&o.fault, "fault", "", "put a fault into the actor: "+strings.Join(faultNames(), ", "))
	flags.StringVar(&o.out, "out", "", "file for the report; default: standard output")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.command = "make keyboard"
	if _, ok := faults[o.fault]; o.fault != "" && !ok {
		return o, fmt.Errorf("there is no fault %q; there are %s", o.fault, strings.Join(faultNames(), ", "))
	}
	if o.repetitions < 1 {
		return o, errors.New("-repetitions: give a number from 1 on")
	}
	var errs [4]error
	o.targets, errs[0] = pick(*targets, ",", allTargets(), func(t string) string { return t })
	o.layouts, errs[1] = pick(*layouts, ";", layoutCases, func(l layoutCase) string { return l.name })
	o.texts, errs[2] = pick(*texts, ";", textCases(), func(t textCase) string { return t.name })
	if *hindrances != "none" {
		o.hindrances, errs[3] = pick(*hindrances, ";", allHindrances(), func(h hindrance) string { return h.name })
	}
	if more := strings.Join(moreArgs(args, o.out), " "); more != "" {
		o.command += fmt.Sprintf(" ARGS=%q", more)
	}
	return o, errors.Join(errs[:]...)
}

// moreArgs returns what a person added to what make keyboard says itself.
func moreArgs(args []string, out string) []string {
	return slices.DeleteFunc(slices.Clone(args), func(a string) bool { return a == "-out" || a == out || a == "-xdotool" })
}

// pick returns what a list names, or all.
func pick[T any](list, separator string, all []T, name func(T) string) (chosen []T, err error) {
	if list == "" {
		return all, nil
	}
	for _, want := range strings.Split(list, separator) {
		i := slices.IndexFunc(all, func(x T) bool { return name(x) == want })
		if i < 0 {
			var names []string
			for _, x := range all {
				names = append(names, name(x))
			}
			return nil, fmt.Errorf("there is no %q; there are %s", want, strings.Join(names, separator+" "))
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

// obeyKeyboard measures the matrix and writes the report.
func obeyKeyboard(ctx context.Context, args []string, stdout, stderr io.Writer) (int, error) {
	o, err := readKeyboardOrder(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitPassed, nil
	case err != nil:
		return exitUsage, err
	}
	rep, err := measureKeyboard(ctx, o, stderr)
	rep.interrupted = ctx.Err() != nil
	if err != nil && !rep.interrupted {
		return exitFailed, err
	}
	out := stdout
	if o.out != "" {
		f, err := os.Create(o.out)
		if err != nil {
			return exitFailed, err
		}
		defer f.Close()
		out = f
	}
	if err := rep.write(out); err != nil {
		return exitFailed, err
	}
	if failed := rep.failed(); failed > 0 {
		return exitFailed, fmt.Errorf("%d texts did not arrive as they were typed", failed)
	}
	return exitPassed, nil
}

// measureKeyboard plays all trials of an order, the programs side by side, each
// on a computer of its own.
func measureKeyboard(ctx context.Context, o keyboardOrder, log io.Writer) (keyboardReport, error) {
	parts, errs := make([]keyboardReport, len(o.targets)), make([]error, len(o.targets))
	var all sync.WaitGroup
	out := &lines{w: log}
	for i, where := range o.targets {
		part := o
		part.targets = []string{where}
		all.Go(func() { parts[i], errs[i] = measureTarget(ctx, part, out) })
	}
	all.Wait()
	rep := keyboardReport{order: o}
	for _, p := range parts { // of what was interrupted, that far
		rep.trials, rep.handed = append(rep.trials, p.trials...), append(rep.handed, p.handed...)
	}
	return rep, errors.Join(errs...)
}

func measureTarget(ctx context.Context, o keyboardOrder, log io.Writer) (rep keyboardReport, err error) {
	t, err := newTypist(ctx, o.peer)
	if err != nil {
		return rep, err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	t.hand.setFault(o.fault)
	return t.measure(ctx, o, log)
}

// measure plays all trials of an order, one program after the other.
func (t *typist) measure(ctx context.Context, o keyboardOrder, log io.Writer) (keyboardReport, error) {
	rep := keyboardReport{order: o}
	for _, where := range o.targets {
		for n := range o.repetitions {
			for _, l := range o.layouts {
				if err := t.playLayout(ctx, &rep, where, l, n == 0, log); err != nil {
					return rep, err
				}
			}
		}
		for _, h := range o.hindrances {
			if err := t.hinder(ctx, &rep, where, h, log); err != nil {
				return rep, err
			}
		}
	}
	rep.handed = t.hand.times()["type"]
	return rep, nil
}

// playLayout types every text under one layout; the peer types after us, so
// that it cannot help us with the keys it leaves behind.
func (t *typist) playLayout(ctx context.Context, rep *keyboardReport, where string, l layoutCase, first bool, log io.Writer) error {
	actors := []string{ours}
	if first && t.peer != nil {
		actors = append(actors, theirs)
	}
	for _, actor := range actors {
		if err := t.layout(ctx, l); err != nil {
			return err
		}
		for _, text := range rep.order.texts {
			if actor == theirs && text.ours {
				continue
			}
			out, err := t.try(ctx, cell{where, l.name, text.name}, text, actor)
			if err != nil {
				return err
			}
			rep.add(out, log)
		}
	}
	return nil
}

// add notes a trial and tells it.
func (r *keyboardReport) add(out trial, log io.Writer) {
	r.trials = append(r.trials, out)
	how := out.took.Round(time.Millisecond).String()
	if !out.exact {
		how = "WRONG " + oneLine(out.what)
	}
	fmt.Fprintf(log, "%s %s, %s, %s: %s\n", out.actor, out.target, out.layout, out.text, how)
}
