package fake

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
)

// Fault makes a call of Input fail.
type Fault struct {
	Action int   // the action that fails; those before it are performed
	Typed  int   // when it is a Type: characters that arrive all the same
	Err    error // the cause, with its code
}

// FailInput makes the nth call of Input from now (1 is the next) fail as fault
// says. Calls that are Invalid do not count.
func (d *Desktop) FailInput(n int, fault Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults[d.inputs+n] = fault
}

// Block makes every Input wait, after validation and before anything moves,
// until free is called or its context ends. free may be called more than once.
func (d *Desktop) Block() (free func()) {
	gate := make(chan struct{})
	d.mu.Lock()
	defer d.mu.Unlock()
	d.gate = gate
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.gate == gate {
			d.gate = nil
			close(gate)
		}
	}
}

// Input implements desktop.Desktop.
func (d *Desktop) Input(ctx context.Context, actions ...desktop.Action) error {
	if err := d.usable(ctx); err != nil {
		return err
	}
	if err := desktop.ValidateInput(d.size, actions); err != nil {
		return err
	}
	for i, a := range actions {
		if err := validateKeys(a); err != nil {
			return &desktop.InputError{Action: i, Err: err}
		}
	}
	if err := d.acquire(ctx); err != nil {
		return &desktop.InputError{Err: err}
	}
	defer func() { <-d.lease }()

	d.mu.Lock()
	d.inputs++
	fault, fails := d.faults[d.inputs]
	d.mu.Unlock()
	for i, a := range actions {
		a = a.Fill()
		err := d.usable(ctx)
		if fails && fault.Action == i {
			err = fault.Err
		}
		if err == nil {
			err = d.elsewhere(a)
		}
		if err == nil {
			err = d.perform(ctx, a)
		}
		if err != nil {
			return d.fail(i, a, fault.Typed, err)
		}
	}
	return nil
}

// elsewhere reports as Denied that the focus is in none of the places of a.
func (d *Desktop) elsewhere(a desktop.Action) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(a.Into) == 0 || slices.ContainsFunc(d.windows, func(w desktop.Window) bool { return w.Focused && desktop.Fits(a.Into, w.Program, w.Title) }) {
		return nil
	}
	return deskhand.Errorf("", deskhand.Denied, "no window that the text may go into has the focus")
}

// acquire takes the lease and passes the gate.
func (d *Desktop) acquire(ctx context.Context) error {
	select {
	case d.lease <- struct{}{}:
	case <-ctx.Done():
		return d.usable(ctx)
	case <-d.closed:
		return d.usable(ctx)
	}
	d.mu.Lock()
	gate := d.gate
	d.mu.Unlock()
	if gate == nil {
		return nil
	}
	select {
	case <-gate:
		return nil
	case <-ctx.Done():
	case <-d.closed:
	}
	<-d.lease
	return d.usable(ctx)
}

// fail ends a list at action i.
func (d *Desktop) fail(i int, a desktop.Action, typed int, err error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	in := &desktop.InputError{Action: i, Err: err}
	if a.Kind == desktop.Type {
		text := []rune(a.Text)
		in.Typed = min(typed, len(text))
		d.typed = append(d.typed, text[:in.Typed]...)
	}
	d.letGo(false) // a button that is down was pressed by a Press, which outlives its list
	return in
}

// perform does one action. Whatever it presses, it releases, but for a Press.
func (d *Desktop) perform(ctx context.Context, a desktop.Action) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if a.From != nil {
		d.move(*a.From)
	} else if a.Point != nil {
		d.move(*a.Point)
	}
	mods := splitKeys(a.Modifiers)
	d.press(mods...)
	switch a.Kind {
	case desktop.Click:
		for range a.Count {
			d.down(string(a.Button))
			d.up(string(a.Button))
		}
	case desktop.Press:
		d.down(string(a.Button))
	case desktop.Release:
		d.up(string(a.Button))
	case desktop.Drag:
		d.down(string(a.Button))
		d.move(*a.Point)
		d.up(string(a.Button))
	case desktop.Scroll:
		for range a.Count {
			d.received = append(d.received, "wheel "+string(a.Direction))
		}
	case desktop.Type:
		d.typeText(a.Text)
	case desktop.Key:
		for range a.Count {
			d.press(splitKeys(a.Keys)...)
			d.release(splitKeys(a.Keys)...)
		}
	case desktop.Hold:
		d.press(splitKeys(a.Keys)...)
		if err := d.pause(ctx, a.Duration); err != nil {
			return err // Input lets go
		}
		d.release(splitKeys(a.Keys)...)
	}
	d.release(mods...)
	d.applied = append(d.applied, a)
	return nil
}

// pause waits for long with d.mu unlocked.
func (d *Desktop) pause(ctx context.Context, long time.Duration) error {
	d.mu.Unlock()
	defer d.mu.Lock()
	timer := time.NewTimer(long)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-d.closed:
	}
	return d.usable(ctx)
}

func (d *Desktop) typeText(text string) {
	names := map[rune]string{'\n': "Return", '\t': "Tab", ' ': "space"}
	for _, r := range text {
		name, ok := names[r]
		if !ok {
			name = string(r)
		}
		d.received = append(d.received, "key "+name+" down", "key "+name+" up")
		d.typed = append(d.typed, r)
	}
}

// Release implements desktop.Desktop.
func (d *Desktop) Release(ctx context.Context) error {
	if err := d.usable(ctx); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.letGo(true)
	return nil
}

func (d *Desktop) move(p deskhand.ScreenPoint) {
	if p != d.cursor {
		d.cursor = p
		d.received = append(d.received, fmt.Sprintf("move %d,%d", p.X, p.Y))
	}
}

// down presses a button or key, unless it is down.
func (d *Desktop) down(what string) {
	if !slices.Contains(d.held, what) {
		d.held = append(d.held, what)
		d.received = append(d.received, what+" down")
	}
}

// up releases a button or key, if it is down.
func (d *Desktop) up(what string) {
	if i := slices.Index(d.held, what); i >= 0 {
		d.held = slices.Delete(d.held, i, i+1)
		d.received = append(d.received, what+" up")
	}
}

func (d *Desktop) press(names ...string) {
	for _, name := range names {
		d.down("key " + name)
	}
	if len(names) == 1 && utf8.RuneCountInString(names[0]) == 1 {
		d.typed = append(d.typed, []rune(names[0])...)
	}
}

func (d *Desktop) release(names ...string) {
	for _, name := range slices.Backward(names) {
		d.up("key " + name)
	}
}

// letGo releases the keys that are held, and with buttons the buttons too.
func (d *Desktop) letGo(buttons bool) {
	for _, what := range slices.Backward(slices.Clone(d.held)) {
		if buttons || strings.HasPrefix(what, "key ") {
			d.up(what)
		}
	}
}
