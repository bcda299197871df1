package main

import (
	"bytes"
	"strings"
	"testing"
)

// openTypist brings up a typist that goes with the test.
func openTypist(t *testing.T) *typist {
	t.Helper()
	ty, err := newTypist(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ty.close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return ty
}

// keyboardOrderOf reads an order as a person would give it.
func keyboardOrderOf(t *testing.T, args ...string) keyboardOrder {
	t.Helper()
	o, err := readKeyboardOrder(append([]string{"-repetitions", "1"}, args...), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// TestKeyboard plays the part of the matrix that is quick: a bit of every text
// under every layout, what takes more keys than there are, and what may get in
// the way. Faults are then put in, and every program must show them.
func TestKeyboard(t *testing.T) {
	ty := openTypist(t)
	every := keyboardOrderOf(t, "-hindrances", "none")
	every.texts = []textCase{mixed()}
	for _, o := range []keyboardOrder{
		every,
		keyboardOrderOf(t, "-layouts", "se", "-texts", "ß é ñ €;Cyrillic;400 ideographs;blanks", "-hindrances", "Caps Lock on;Shift held by another program"),
	} {
		rep, err := ty.measure(t.Context(), o, t.Output())
		if err != nil {
			t.Fatal(err)
		}
		for _, trial := range rep.trials {
			if !trial.exact {
				t.Errorf("%+v", trial)
			}
		}
		if want := len(o.targets) * (len(o.layouts)*len(o.texts) + len(o.hindrances)); len(rep.trials) != want {
			t.Errorf("%d trials instead of %d", len(rep.trials), want)
		}
	}
	for _, fault := range []string{"shift-ignored", "character-lost"} {
		ty.hand.setFault(fault)
		o := keyboardOrderOf(t, "-layouts", "us", "-texts", "ASCII", "-hindrances", "none")
		rep, err := ty.measure(t.Context(), o, t.Output())
		if err != nil {
			t.Fatal(err)
		}
		if rep.failed() != len(o.targets) {
			t.Errorf("with the fault %s %d of %d programs had the wrong text", fault, rep.failed(), len(o.targets))
		}
	}
}

func TestKeyboardReport(t *testing.T) {
	o := keyboardOrderOf(t, "-layouts", "us;de", "-texts", "ASCII", "-targets", "xterm,textarea", "-hindrances", "Caps Lock on")
	rep := keyboardReport{order: o, trials: []trial{
		{cell: cell{terminal, "us", "ASCII"}, actor: ours, exact: true, took: 7e6},
		{cell: cell{terminal, "us", "ASCII"}, actor: ours, exact: true, took: 9e6},
		{cell: cell{terminal, "de", "ASCII"}, actor: ours, what: "lost"},
		{cell: cell{terminal, "us", "ASCII"}, actor: theirs, what: "lost by the peer"},
		{cell: cell{terminal, "de", "Caps Lock on"}, actor: ours, hindered: true, exact: true, took: 3e6},
	}}
	var b bytes.Buffer
	if err := rep.write(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| deskhand | xterm | **2/3** | 9 / 9 |\n", "| xdotool | xterm | **0/1** |  |\n", "| ASCII | 2/2 9 / 9 | **0/1** |\n",
		"| Caps Lock on | de | 1/1 3 / 3 | – |\n", "- deskhand xterm, de, ASCII: lost\n", "- xdotool xterm, us, ASCII: lost by the peer\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	if rep.failed() != 1 {
		t.Errorf("%d failed", rep.failed())
	}
}

func TestKeyboardOrders(t *testing.T) {
	for _, args := range [][]string{{"-layouts", "klingon"}, {"-texts", "x"}, {"-targets", "vi"}, {"-hindrances", "x"}, {"-repetitions", "0"}, {"-fault", "x"}, {"-x"}} {
		var out bytes.Buffer
		if status, err := obeyKeyboard(t.Context(), args, &out, &out); status != exitUsage || err == nil {
			t.Errorf("%q: %d, %v", args, status, err)
		}
	}
}
