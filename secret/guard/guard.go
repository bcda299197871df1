// Package guard puts a task's secrets before what they must not reach: the
// journal, which is also all that a model is ever sent, the terminal, and the
// tools.
//
// It must never decide where a secret may go (its Secret says, and the desktop
// looks whether it is so), and never let a value through because something could
// not be read: then nothing is stored.
//
// Trust: calls, replies and results are hostile. What package secret cannot
// recognise, pictures first of all, passes.
package guard

import (
	"bytes"
	"context"
	"encoding/json"
	"iter"
	"slices"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/secret"
	"github.com/deskhand/deskhand/store"
)

// Store returns st with every free text masked before it is stored, whoever
// wrote it, and again when it is read: another process may have stored it
// without knowing the values. Words that the runtime itself writes (statuses,
// ids, hashes) and the names of members stay what they are. Images are stored as
// they are.
//
// A reply in which the model itself writes a value is stored masked and marked
// (ModelReplied.Secrets), because it cannot be sent back to the API like that.
func Store(st store.Store, s *secret.Set) store.Store {
	if len(s.Names()) == 0 {
		return st
	}
	return masked{st, s}
}

type masked struct {
	store.Store
	secrets *secret.Set
}

// Append implements store.Journal. What it returns is what was stored.
func (m masked) Append(ctx context.Context, events ...deskhand.Event) ([]deskhand.Event, error) {
	clean := make([]deskhand.Event, len(events))
	for i, e := range events {
		var err error
		if clean[i], err = m.mask(e); err != nil {
			return nil, deskhand.E("store: append", "", err)
		}
	}
	return m.Store.Append(ctx, clean...)
}

// Events implements store.Journal.
func (m masked) Events(ctx context.Context, task deskhand.TaskID, after int64) iter.Seq2[deskhand.Event, error] {
	return func(yield func(deskhand.Event, error) bool) {
		for e, err := range m.Store.Events(ctx, task, after) {
			if err == nil {
				e, err = m.mask(e)
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

func (m masked) mask(e deskhand.Event) (deskhand.Event, error) {
	data, err := m.secrets.MaskJSON(e.Data, free)
	if err != nil || bytes.Equal(data, e.Data) {
		return e, err
	}
	if e.Kind != deskhand.KindModelReplied {
		e.Data = data
		return e, nil
	}
	var d deskhand.ModelReplied
	if err := json.Unmarshal(data, &d); err != nil {
		return e, deskhand.E("", deskhand.Invalid, err)
	}
	names, err := secret.Refers(data)
	if err != nil {
		return e, err
	}
	known := m.secrets.Names()
	names = slices.DeleteFunc(names, func(n string) bool { return !slices.Contains(known, n) })
	slices.Sort(names)
	d.Secrets = slices.Compact(names)
	marked := deskhand.NewEvent(e.Task, e.Kind, d)
	e.Data = marked.Data
	return e, nil
}

// fixed are the members of events that hold no free text: words of the runtime
// and of the API, and what a task was set up with (see Fits).
var fixed = map[string]bool{
	"id": true, "call_id": true, "request_id": true, "tool_use_id": true, "type": true, "signature": true, "data": true,
	"nonce": true, "pinned": true, "state": true, "scope": true, "always": true, // of questions and answers
	"status": true, "from": true, "to": true, "stop_reason": true, "outcome": true, "rule": true, "code": true, "for": true,
	"bound": true, "watch": true, "step": true, "finding": true, "kind": true, "what": true, "effect": true,
	"hash": true, "media_type": true, "created": true, "updated": true, "at": true,
	"model": true, "provider": true, "tool_version": true, "effort": true, "permission": true, "sandbox": true,
	"memory": true, "tools": true, "path": true, "mode": true, "folder": true, "allow": true, "unlock": true, "skills": true, "secrets": true,
}

// free reports whether a text was written by a model, a person or the world. All
// of a call's input was, down to the names in it.
func free(at secret.Spot) bool {
	if slices.Contains(at.Path, "input") {
		return true
	}
	return !at.Key && (len(at.Path) == 0 || !fixed[at.Path[len(at.Path)-1]])
}

// Fits reports as Invalid that a value is part of how a task is set up: of the
// path of a folder, say, which is recorded as it is.
func Fits(t deskhand.Task, s *secret.Set) error {
	raw, err := json.Marshal(t)
	if err != nil {
		return deskhand.E("", deskhand.Internal, err) // unreachable: events hold tasks
	}
	found, err := s.MaskJSON(raw, func(at secret.Spot) bool { return !at.Key && !free(at) && !slices.Contains(at.Path, "secrets") })
	if err == nil && !bytes.Equal(found, raw) {
		err = deskhand.Errorf("", deskhand.Invalid, "the value of a secret is part of a folder, file, host or name that the task is given, and would be recorded with it: change the one or the other")
	}
	return err
}
