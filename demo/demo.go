// Package demo is the demonstration: a task that uses the mouse, the keyboard,
// a text editor, a shell, a browser and the editor tool on real programs; the
// script that stands in for a model when there is no key; the order form that
// the task fills in; and what must be so at the end.
package demo

import (
	_ "embed"

	"github.com/deskhand/deskhand"
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

// Criteria is what must be so at the end: both files, to the byte.
func Criteria() []deskhand.Criterion {
	exactly := func(path string, data []byte) deskhand.Criterion {
		return deskhand.Criterion{Kind: "file", Want: path + "=sha256:" + string(deskhand.HashOf(data))}
	}
	return []deskhand.Criterion{exactly(NotePath, []byte(Note)), exactly(OrderPath, want.file())}
}
