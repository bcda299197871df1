// Package demo is the demonstration: a task that uses the mouse, the keyboard,
// a text editor, a shell, a browser and the editor tool on real programs; the
// script that stands in for a model when there is no key; the order form that
// the task fills in; and the check of what really happened.
//
// Trust: Check reads files that programs in the sandbox wrote. It compares them
// and never interprets them beyond that.
package demo

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/sandbox"
)

// Task is the demonstration in plain words, as a person would give it.
//
//go:embed task.txt
var Task string

// Script plays the demonstration without a model; see model/script.
//
//go:embed script.txtar
var Script []byte

// Where the task leaves its traces inside the sandbox.
const (
	NotePath  = "/home/user/Documents/note.txt"
	OrderPath = "/home/user/order.json"
)

// Note is the content the file must have at the end, byte for byte.
const Note = "Grüße aus Zürich! The café opens at nine; crème brûlée costs 7 €.\n" +
	"明日は晴れ、привет, ¡olé! — and a smile: 🙂\n"

// want is the order the form must have received.
var want = Order{Name: "Zoë Müller", Quantity: 3, Pickup: "shop", Gift: true, Remarks: "No sugar, please – danke schön!"}

// maxTrace bounds what Check reads of a file.
const maxTrace = 64 << 10

// Check compares what the task left behind with what it asked for. Evidence has
// one sentence for each thing looked at. An error means that it could not look.
func Check(ctx context.Context, sb sandbox.Sandbox) (ok bool, evidence []string, err error) {
	note, err := read(ctx, sb, NotePath)
	if err != nil {
		return false, nil, err
	}
	raw, err := read(ctx, sb, OrderPath)
	if err != nil {
		return false, nil, err
	}
	noteOK, noteSays := checkNote(note)
	orderOK, orderSays := checkOrder(raw)
	return noteOK && orderOK, []string{noteSays, orderSays}, nil
}

func checkNote(got []byte) (bool, string) {
	switch {
	case got == nil:
		return false, NotePath + " does not exist."
	case string(got) != Note:
		return false, fmt.Sprintf("%s has %d bytes that differ from the %d expected: %q", NotePath, len(got), len(Note), clip(got))
	}
	return true, fmt.Sprintf("%s has exactly the %d bytes expected.", NotePath, len(Note))
}

func checkOrder(raw []byte) (bool, string) {
	if raw == nil {
		return false, "The form was never submitted."
	}
	var got Order
	if err := json.Unmarshal(raw, &got); err != nil {
		return false, fmt.Sprintf("%s is not an order: %q", OrderPath, clip(raw))
	}
	if got != want {
		return false, fmt.Sprintf("The form received %+v, not %+v.", got, want)
	}
	return true, fmt.Sprintf("The form received the five values expected (order %s).", got.Number())
}

// read returns the file's bytes, nil when there is no such file.
func read(ctx context.Context, sb sandbox.Sandbox, path string) ([]byte, error) {
	data, _, err := sb.ReadFile(ctx, path, 0, maxTrace)
	switch deskhand.CodeOf(err) {
	case "":
		return append([]byte{}, data...), nil
	case deskhand.NotFound:
		return nil, nil
	}
	return nil, deskhand.E("demo: check", "", err)
}

func clip(data []byte) string {
	const most = 200
	return strings.ToValidUTF8(string(data[:min(len(data), most)]), "�")
}
