package tool

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/plaintext"
)

// Malformed returns the toolset that call was meant for and the text to answer
// it with, when call is named after a toolset of the set but carries no
// toolset_name: a batch that the API could not split into members. Nothing of
// it may run, its answer carries no toolset_name, and later calls of that
// toolset in the turn get the toolset's halt text.
func (s *Set) Malformed(call deskhand.Call) (toolset Tool, text string, ok bool) {
	if _, found := s.Find(call); found || call.Toolset != "" {
		return nil, "", false
	}
	for _, t := range s.tools {
		if spec := t.Spec(); spec.Toolset && spec.Name == call.Name {
			return t, fmt.Sprintf("Error: the '%s' toolset could not run this call: %s; nothing in the batch was executed",
				spec.Name, malformed(call.Input)), true
		}
	}
	return nil, "", false
}

// maxNamed is how many action names of a malformed batch are repeated.
const maxNamed = 10

// malformed says what is wrong with the list of actions in raw.
func malformed(raw json.RawMessage) string {
	var fields struct {
		Actions json.RawMessage `json:"actions"`
		Action  any             `json:"action"`
	}
	_ = json.Unmarshal(raw, &fields) // not an object: no list
	var actions []json.RawMessage
	switch {
	case fields.Actions == nil:
		if name, ok := fields.Action.(string); ok {
			return fmt.Sprintf("the call has no 'actions' list (action: %s)", quote(name))
		}
		return "the call has no 'actions' list"
	case fields.Actions[0] == '"':
		return "'actions' is text, not a list of actions"
	case fields.Actions[0] != '[' || json.Unmarshal(fields.Actions, &actions) != nil:
		return "'actions' is not a list of actions"
	case len(actions) == 0:
		return "the 'actions' list is empty"
	}
	return malformedActions(actions)
}

func malformedActions(actions []json.RawMessage) string {
	var names []string
	for i, raw := range actions {
		var entry struct {
			Action *string `json:"action"`
		}
		if json.Unmarshal(raw, &entry) != nil || entry.Action == nil {
			return fmt.Sprintf("action %d must be an object with a string 'action' field", i)
		}
		if i < maxNamed {
			names = append(names, quote(*entry.Action))
		}
	}
	if more := len(actions) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return fmt.Sprintf("its actions could not be run as sent (actions: %s)", strings.Join(names, ", "))
}

func quote(name string) string { return "'" + plaintext.Short(name, 64) + "'" }
