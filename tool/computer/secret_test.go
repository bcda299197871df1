package computer_test

import (
	"context"
	"strings"
	"testing"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/desktop/fake"
	"github.com/deskhand/deskhand/tool/computer"
)

const canary = "c4nary-value"

// typing fills "REF" in for a window of xterm, and refuses "OTHER".
func typing(text string) ([]desktop.Action, error) {
	into := []desktop.Place{{Program: "xterm"}}
	before, after, refers := strings.Cut(text, "REF")
	switch {
	case strings.Contains(text, "OTHER"):
		return nil, deskhand.Errorf("", deskhand.NotFound, "No such thing.")
	case !refers:
		return []desktop.Action{{Kind: desktop.Type, Text: text}}, nil
	}
	return []desktop.Action{
		{Kind: desktop.Type, Text: before, Into: into}, {Kind: desktop.Type, Text: canary, Into: into, Covered: true}, {Kind: desktop.Type, Text: after, Into: into},
	}, nil
}

// TestTypesSecrets: the text is typed into the window it may go into, whole or not
// at all, and no answer tells how long it is.
func TestTypesSecrets(t *testing.T) {
	t.Parallel()
	tl, d := open(t, computer.Config{Typing: typing})
	for _, c := range []struct {
		program, text, typed, want string
		fault                      *fake.Fault
	}{
		{"/usr/bin/xterm", "aREFb", "a" + canary + "b", "Typed. Where the secret was drawn, screenshots show a black area.", nil},
		{"/usr/bin/xterm", "plain", "plain", "Typed.", nil},
		{"/usr/bin/mousepad", "plain", "plain", "Typed.", nil},
		{"/usr/bin/mousepad", "aREFb", "", "Error: The secret may not be typed here: no window that it is bound to has the focus, or the focus went elsewhere. Nothing of it was typed.", nil},
		{"", "aREFb", "", "Error: The secret may not be typed here: no window that it is bound to has the focus, or the focus went elsewhere. Nothing of it was typed.", nil},
		{"/usr/bin/xterm", "OTHER", "", "Error: No such thing.", nil},
		{"/usr/bin/xterm", "aREFb", "ac4n", "Error: The secret may not be typed here: no window that it is bound to has the focus, or the focus went elsewhere. A part of the text may have been typed.",
			&fake.Fault{Action: 1, Typed: 3, Err: deskhand.Errorf("", deskhand.Denied, "no %s", canary)}},
		{"/usr/bin/xterm", "aREFb", "a", "Error: Failed to perform type action. The application may be unresponsive. A part of the text may have been typed.",
			&fake.Fault{Action: 1, Err: deskhand.Errorf("", deskhand.Invalid, "control character in %s", canary)}},
		{"/usr/bin/xterm", "aREFb", "", "Error: The display is unavailable. Whether this action took effect is unknown. Nothing can be seen or done until the display is back.",
			&fake.Fault{Err: deskhand.Errorf("", deskhand.Unavailable, "gone with %s", canary)}},
	} {
		d.SetWindows(desktop.Window{Program: "/usr/bin/xterm"}, desktop.Window{Focused: true, Program: c.program})
		if c.fault != nil {
			d.FailInput(1, *c.fault)
		}
		before := d.Typed()
		r := run(t, tl, "type", `{"text":"`+c.text+`"}`)
		if got := strings.TrimPrefix(d.Typed(), before); got != c.typed || r.Content[0].Text != c.want || r.IsError != strings.HasPrefix(c.want, "Error") {
			t.Errorf("%s into %q: typed %q, answered %+v", c.text, c.program, got, r)
		}
	}
	d.SetWindows(desktop.Window{Focused: true, Program: "/usr/bin/xterm"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tl.Run(ctx, call("type", `{"text":"aREFb"}`)); deskhand.CodeOf(err) != deskhand.Canceled || strings.Contains(err.Error(), "characters") {
		t.Errorf("canceled: %v", err)
	}
}

func TestFills(t *testing.T) {
	t.Parallel()
	with, _ := open(t, computer.Config{Typing: typing})
	without, _ := open(t, computer.Config{})
	for name, input := range map[string]string{"type": `{"text":"REF"}`, "key": `{"text":"a"}`, "left_click": `{}`, "nothing": `{}`} {
		if got := with.Fills(call(name, input)); got != (name == "type") || without.Fills(call(name, input)) {
			t.Errorf("%s: %v", name, got)
		}
	}
	if with.Fills(call("type", `{"txet":"REF"}`)) {
		t.Error("a malformed call is filled in")
	}
}
