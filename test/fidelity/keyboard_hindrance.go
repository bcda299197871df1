package main

import (
	"context"
	"io"

	"github.com/deskhand/deskhand/desktop"
)

// hindrance is something that gets in the way of typing.
type hindrance struct {
	name    string
	layout  layoutCase
	env     []string // of the program; nil: as it is
	toggles string   // key that is pressed before and after
	hold    string   // modifier that somebody else holds down
}

// allHindrances are what gets in the way. Each is tried with mixed text.
func allHindrances() []hindrance {
	us, de := layoutCase{name: "us", args: []string{"-layout", "us"}}, layoutCase{name: "de", args: []string{"-layout", "de"}}
	return []hindrance{
		{name: "Caps Lock on", layout: de, toggles: "Caps_Lock"},
		{name: "Num Lock on", layout: us, toggles: "Num_Lock"},
		{name: "Shift Lock on", layout: us, toggles: "Shift_Lock"},
		{name: "Shift held by another program", layout: us, hold: "shift"},
		{name: "Control held by another program", layout: de, hold: "ctrl"},
		{name: "AltGr held by another program", layout: de, hold: "ISO_Level3_Shift"},
		{name: "GTK_IM_MODULE=xim", layout: us, env: []string{"GTK_IM_MODULE=xim", "XMODIFIERS=@im=none"}},
		{name: "an input method that is not there", layout: us, env: []string{"GTK_IM_MODULE=ibus", "XMODIFIERS=@im=ibus"}},
	}
}

// mixed is a bit of every text.
func mixed() textCase {
	return textCase{name: "mixed", text: ascii() + "'a \"e don't Straße ñ 5 € Привет, МИР! 漢字 한글 e\u0301 \U0001f469\u200d\U0001f467 שלום\n\tend\n"}
}

// hinder types mixed text with something in the way.
func (t *typist) hinder(ctx context.Context, rep *keyboardReport, where string, h hindrance, log io.Writer) error {
	if h.env != nil && where == area {
		return nil // the browser is the rig's, with an environment of its own
	}
	for n := range rep.order.repetitions {
		if h.env != nil && (n == 0 || t.targets[where] == nil) {
			if _, err := t.open(ctx, where, h.env); err != nil {
				return err
			}
		}
		if err := t.layout(ctx, h.layout); err != nil {
			return err
		}
		undo, err := t.impede(ctx, h)
		if err != nil {
			return err
		}
		out, err := t.try(ctx, cell{where, h.layout.name, h.name}, mixed(), ours, h.before()...)
		if err != nil {
			return err
		}
		out.hindered = true
		rep.add(out, log)
		if err := undo(); err != nil {
			return err
		}
	}
	if h.env == nil {
		return nil
	}
	_, err := t.open(ctx, where, nil)
	return err
}

// before is what is pressed just before typing.
func (h hindrance) before() []desktop.Action {
	if h.toggles == "" {
		return nil
	}
	return []desktop.Action{{Kind: desktop.Key, Keys: h.toggles}}
}

// impede has another program hold a modifier, and returns how all of it ends.
func (t *typist) impede(ctx context.Context, h hindrance) (undo func() error, err error) {
	if h.hold != "" {
		if err := t.command(ctx, "xdotool", "keydown", h.hold); err != nil {
			return nil, err
		}
		return func() error { return t.command(ctx, "xdotool", "keyup", h.hold) }, nil
	}
	return func() error {
		if h.toggles == "" {
			return nil
		}
		return t.machine.Desktop().Input(ctx, h.before()...)
	}, nil
}
