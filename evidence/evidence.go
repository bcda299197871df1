// Package evidence looks at whether a task is done: at files, the exit status of
// a command, the text and the windows on the screen, the address of the browser,
// and through the eyes of a model that did not act.
//
// It never asks the model that worked, and reads nothing that it said.
//
// Trust: everything that is looked at lies in the sandbox, where whatever the
// model started may have written it. Files and commands say what is so there;
// words on the screen say only that they are drawn, and a page can draw anything.
// What is quoted from there is cut short and made printable, and stays data.
package evidence

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/internal/plaintext"
	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/sandbox"
)

// Place is where a task was worked on. What is nil cannot be looked at.
type Place struct {
	Sandbox sandbox.Sandbox
	Desktop desktop.Desktop
	URL     func(ctx context.Context) (string, error)                                     // address of the page in front
	Ask     func(ctx context.Context, why string, req model.Request) (model.Reply, error) // a request whose price counts to the task
	Picture deskhand.Size                                                                 // of the screen as a model is shown it; default: the screen's own
}

// kind is one way of looking.
type kind struct {
	form  string                  // what stands after the kind's name, for a person
	valid func(want string) error // nil: any text
	look  func(ctx context.Context, s *scene, want string) (found, error)
}

// found is what a look came to.
type found struct {
	finding  deskhand.Finding
	evidence string
	screen   bool // the picture of the scene was looked at
}

// kinds are all ways of looking.
var kinds = map[string]kind{
	"file":    {"/PATH, /PATH~PATTERN or /PATH=sha256:HASH", validFile, lookAtFile},
	"command": {"a shell line that ends with status 0", nil, lookAtCommand},
	"text":    {"words that can be read on the screen", nil, lookAtText},
	"window":  {"words in the title of a window", nil, lookAtWindows},
	"url":     {"how the address of the page in front begins", nil, lookAtURL},
	"look":    {"what a model should see on the screen", nil, lookThroughModel},
}

// maxWant bounds a criterion, in bytes.
const maxWant = 4096

// Parse reads a criterion as a person writes it, KIND:WANT. Invalid.
func Parse(text string) (deskhand.Criterion, error) {
	name, want, _ := strings.Cut(text, ":")
	k, ok := kinds[name]
	switch {
	case !ok:
		return deskhand.Criterion{}, deskhand.Errorf("", deskhand.Invalid, "%q is not a check: write KIND:…, with one of the kinds %s", text, strings.Join(slices.Sorted(maps.Keys(kinds)), ", "))
	case strings.TrimSpace(want) == "" || len(want) > maxWant:
		return deskhand.Criterion{}, deskhand.Errorf("", deskhand.Invalid, "after %s: stands %s, of at most %d bytes", name, k.form, maxWant)
	}
	if k.valid != nil {
		if err := k.valid(want); err != nil {
			return deskhand.Criterion{}, deskhand.Errorf("", deskhand.Invalid, "%s:%s: %w; write %s:%s", name, want, err, name, k.form)
		}
	}
	return deskhand.Criterion{Kind: name, Want: want}, nil
}

// Check looks at each criterion, in order. What cannot be looked at is not
// verified, with the reason as its evidence. An error means that no more could be
// looked at: ctx ended, or a request would have broken the task's budget.
func Check(ctx context.Context, p Place, criteria []deskhand.Criterion) ([]deskhand.Checked, error) {
	s := &scene{place: p}
	var out []deskhand.Checked
	for _, c := range criteria {
		k, ok := kinds[c.Kind]
		if !ok {
			out = append(out, deskhand.Checked{Criterion: c, Finding: deskhand.NotVerified, Evidence: "This version does not know the kind of check."})
			continue
		}
		f, err := k.look(ctx, s, c.Want)
		var refused *refusal
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case errors.As(err, &refused):
			return nil, refused.error
		case err != nil:
			f = found{finding: deskhand.NotVerified, evidence: "It could not be looked at: " + reason(err) + "."}
		}
		item := deskhand.Checked{Criterion: c, Finding: f.finding, Evidence: plaintext.Short(f.evidence, maxEvidence)}
		if f.screen {
			item.Image = s.picture
		}
		out = append(out, item)
	}
	return out, nil
}

const (
	maxEvidence = 1000 // characters
	maxQuote    = 200  // characters of what is quoted from the sandbox
)

// refusal is an error that ends the whole look.
type refusal struct{ error }

// reason is what an error says, without the operations before it.
func reason(err error) string {
	var e *deskhand.Error
	for errors.As(err, &e) {
		err = e.Err
	}
	return strings.TrimRight(err.Error(), ".")
}

func unavailable(format string, args ...any) error {
	return deskhand.Errorf("", deskhand.Unavailable, format, args...)
}

func verified(format string, args ...any) (found, error) {
	return found{finding: deskhand.Verified, evidence: fmt.Sprintf(format, args...)}, nil
}

func refuted(format string, args ...any) (found, error) {
	return found{finding: deskhand.Refuted, evidence: fmt.Sprintf(format, args...)}, nil
}

// quote shows what comes from the sandbox: one printable line, cut short.
func quote(text string) string {
	return fmt.Sprintf("%q", plaintext.Short(strings.ToValidUTF8(text, "�"), maxQuote))
}
