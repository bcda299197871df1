package tool

import (
	"encoding/json"
	"slices"

	"github.com/deskhand/deskhand"
)

// Set is the tools of one task, in the order they are sent. It is immutable.
type Set struct{ tools []Tool }

// NewSet returns the set of tools. Two tools that calls could not tell apart
// are Invalid.
func NewSet(tools ...Tool) (*Set, error) {
	seen := map[[2]string]bool{}
	for _, t := range tools {
		spec := t.Spec()
		key := [2]string{"", spec.Name}
		if spec.Toolset {
			key = [2]string{spec.Name, ""}
		}
		if seen[key] {
			return nil, deskhand.Errorf("tools", deskhand.Invalid, "two tools are named %q", spec.Name)
		}
		seen[key] = true
	}
	return &Set{slices.Clone(tools)}, nil
}

// Find returns the tool that answers call, by toolset and name.
func (s *Set) Find(call deskhand.Call) (Tool, bool) {
	for _, t := range s.tools {
		spec := t.Spec()
		if spec.Toolset && spec.Name == call.Toolset || !spec.Toolset && call.Toolset == "" && spec.Name == call.Name {
			return t, true
		}
	}
	return nil, false
}

// All returns the tools in the order they are sent.
func (s *Set) All() []Tool { return slices.Clone(s.tools) }

// Entries returns the entries of the tools array, and the beta headers they need.
func (s *Set) Entries() (entries []json.RawMessage, betas []string) {
	for _, t := range s.tools {
		spec := t.Spec()
		entries = append(entries, spec.Entry)
		if spec.Beta != "" && !slices.Contains(betas, spec.Beta) {
			betas = append(betas, spec.Beta)
		}
	}
	return entries, betas
}
