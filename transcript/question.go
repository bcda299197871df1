package transcript

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/plaintext"
)

// Question says what a person is asked about a call, a line each, all visible:
// what it is, why it asks, what it acts on, the exact text that is typed, and
// the model's own words, marked as such. It says nothing of how to answer.
func Question(q deskhand.ApprovalAsked) []string {
	lines := []string{"May it do this? " + Human(q.Call)}
	add := func(format string, args ...any) { lines = append(lines, plaintext.Line(fmt.Sprintf(format, args...))) }
	if q.Verdict.Reason != "" {
		add("why asked: %s [%s]", q.Verdict.Reason, q.Verdict.Rule)
	}
	if len(q.Does) > 1 {
		for _, does := range q.Does {
			add("it does: %s", does)
		}
	}
	if text := exactText(q.Call); text != "" {
		add("exactly: %q", text)
	}
	if on := TargetText(q.Target); on != "" {
		add("acts on: %s", on)
	}
	if said := strings.TrimSpace(q.Said); said != "" {
		add("the model says: %s", plaintext.Short(said, maxSaid))
	}
	return lines
}

// maxSaid bounds how much of the model's words stands in a question, in characters.
const maxSaid = 400

// exactText returns the text that a call puts somewhere, or the command it runs,
// where the short form may leave some of it out.
func exactText(c deskhand.Call) string {
	var in input
	if json.Unmarshal(asMember(c).Input, &in) != nil {
		return ""
	}
	switch asMember(c).Name {
	case "type":
		return in.Text
	case "bash":
		return in.Command
	}
	return ""
}

// TargetText says in a few words what a call acts on; empty when nobody knows.
func TargetText(t *deskhand.Target) string {
	if t == nil {
		return ""
	}
	var parts []string
	for _, p := range []struct{ form, text string }{{"%s", t.Role}, {"“%s”", t.Name}, {"in %s", t.App}, {"“%s”", t.Title}, {"at %s", t.URL}} {
		if p.text != "" {
			parts = append(parts, fmt.Sprintf(p.form, plaintext.Line(p.text)))
		}
	}
	if len(parts) == 0 {
		return "the bare desktop"
	}
	return strings.Join(parts, " ")
}

// DecisionText says who answered what.
func DecisionText(d deskhand.Decision) string {
	said := "no"
	switch {
	case d.Approve && d.Scope == deskhand.ForTask:
		said = "yes, for this task"
	case d.Approve && d.Scope == deskhand.Always:
		said = "yes, always"
	case d.Approve:
		said = "yes"
	}
	if d.Comment != "" {
		said += ": " + d.Comment
	}
	return plaintext.Line(fmt.Sprintf("%s said %s", d.By, said))
}
