package main

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/deskhand/deskhand/desktop"
)

// faults are bad actors. Each changes the actions on their way to the desktop;
// the rig is worth something only if it notices every one of them.
var faults = map[string]func() func(desktop.Action) []desktop.Action{
	"click-off-by-3":  func() func(desktop.Action) []desktop.Action { return offByThree },
	"character-lost":  loseEveryTenth,
	"shift-ignored":   func() func(desktop.Action) []desktop.Action { return withoutShift },
	"drag-as-a-jump":  func() func(desktop.Action) []desktop.Action { return jump },
	"click-off-by-1":  func() func(desktop.Action) []desktop.Action { return offBy(1) },
	"wheel-one-short": func() func(desktop.Action) []desktop.Action { return wheelShort },
}

func faultNames() []string { return slices.Sorted(maps.Keys(faults)) }

func one(a desktop.Action) []desktop.Action { return []desktop.Action{a} }

func offByThree(a desktop.Action) []desktop.Action { return offBy(3)(a) }

func offBy(n int) func(desktop.Action) []desktop.Action {
	return func(a desktop.Action) []desktop.Action {
		if a.Kind == desktop.Click && a.Point != nil {
			p := *a.Point
			if p.X += n; p.X >= screen.W {
				p.X -= 2 * n
			}
			a.Point = &p
		}
		return one(a)
	}
}

func loseEveryTenth() func(desktop.Action) []desktop.Action {
	n := 0
	return func(a desktop.Action) []desktop.Action {
		if a.Kind != desktop.Type {
			return one(a)
		}
		var kept strings.Builder
		for _, r := range a.Text {
			if n++; n%10 != 0 {
				kept.WriteRune(r)
			}
		}
		if a.Text = kept.String(); a.Text == "" {
			return nil
		}
		return one(a)
	}
}

// unshifted are the keys of a US keyboard without shift.
var unshifted = strings.NewReplacer("!", "1", "@", "2", "#", "3", "$", "4", "%", "5", "^", "6", "&", "7", "*", "8", "(", "9", ")", "0",
	"_", "-", "+", "=", "{", "[", "}", "]", "|", `\`, ":", ";", `"`, "'", "<", ",", ">", ".", "?", "/", "~", "`")

func withoutShift(a desktop.Action) []desktop.Action {
	switch a.Kind {
	case desktop.Type:
		a.Text = unshifted.Replace(strings.Map(unicode.ToLower, a.Text))
	case desktop.Key, desktop.Hold:
		a.Keys = dropShift(a.Keys)
	}
	a.Modifiers = dropShift(a.Modifiers)
	return one(a)
}

func dropShift(keys string) string {
	parts := slices.DeleteFunc(strings.Split(keys, "+"), func(k string) bool { return strings.EqualFold(k, "shift") })
	return strings.Join(parts, "+")
}

func jump(a desktop.Action) []desktop.Action {
	if a.Kind != desktop.Drag {
		return one(a)
	}
	return []desktop.Action{
		{Kind: desktop.Move, Point: a.From},
		{Kind: desktop.Press, Button: a.Button},
		{Kind: desktop.Move, Point: a.Point},
		{Kind: desktop.Release, Button: a.Button},
	}
}

func wheelShort(a desktop.Action) []desktop.Action {
	if a.Kind == desktop.Scroll {
		if a.Count--; a.Count < 1 {
			return nil
		}
	}
	return one(a)
}

// watched is a desktop whose input is timed, and spoilt when there is a fault.
type watched struct {
	desktop.Desktop
	mu    sync.Mutex
	spoil func(desktop.Action) []desktop.Action // nil: nothing is spoilt
	took  map[string][]time.Duration            // by kind of action
}

// Input implements desktop.Desktop.
func (w *watched) Input(ctx context.Context, actions ...desktop.Action) error {
	w.mu.Lock()
	spoil := w.spoil
	w.mu.Unlock()
	sent := actions
	if spoil != nil {
		sent = nil
		for _, a := range actions {
			sent = append(sent, spoil(a)...)
		}
	}
	if len(sent) == 0 {
		return nil
	}
	begun := time.Now()
	err := w.Desktop.Input(ctx, sent...)
	took := time.Since(begun)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range actions {
		w.took[string(a.Kind)] = append(w.took[string(a.Kind)], took/time.Duration(len(actions)))
	}
	return err
}

// setFault chooses what spoils the input from now on; "" is nothing.
func (w *watched) setFault(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.spoil = nil
	if make, ok := faults[name]; ok {
		w.spoil = make()
	}
}

// begin enters what every kind of action takes into took from now on.
func (w *watched) begin(took map[string][]time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.took = took
}

// times returns what every kind of action took so far.
func (w *watched) times() map[string][]time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.took)
}
