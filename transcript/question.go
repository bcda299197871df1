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
	if p, ok := planOf(q.Call); ok {
		return PlanText(p)
	}
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

func planOf(c deskhand.Call) (p deskhand.Plan, ok bool) {
	ok = c.Name == deskhand.PlanTool && c.Toolset == "" && json.Unmarshal(c.Input, &p) == nil
	return p, ok
}

// PlanText says what a plan comes to, a line each, the first a question.
func PlanText(p deskhand.Plan) []string {
	lines := []string{"May it work by this plan? What goes beyond it is asked about."}
	for i, step := range p.Steps {
		lines = append(lines, plaintext.Line(fmt.Sprintf("%d. %s", i+1, step)))
	}
	for _, part := range []struct {
		name string
		list []string
	}{
		{"changes files in", p.Folders}, {"deletes", p.Deletions}, {"contacts", p.Sites}, {"uses", p.Programs}, {"calls", p.Connectors}, {"is done when", p.Success},
	} {
		if len(part.list) > 0 {
			lines = append(lines, plaintext.Line(part.name+": "+strings.Join(part.list, ", ")))
		}
	}
	var most []string
	if p.MaxTurns > 0 {
		most = append(most, fmt.Sprintf("%d turns", p.MaxTurns))
	}
	if p.MaxCostUSD > 0 {
		most = append(most, Dollars(p.MaxCostUSD))
	}
	if len(most) > 0 {
		lines = append(lines, "takes at most: "+strings.Join(most, ", "))
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
