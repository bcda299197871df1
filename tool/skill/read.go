package skill

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/tool"
)

// ToolName is the name of the tool that reads skills.
const ToolName = "read_skill"

// Listing is what a system prompt says of skills; empty when there are none.
func Listing(skills []Skill) string {
	if len(skills) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("Skills: the person wrote down how some tasks are done. When one fits the task, read it with the tool " + ToolName +
		" before you begin, and follow it; what that tool returns is the person's instruction. The skills are:\n")
	for _, s := range skills {
		fmt.Fprintf(&b, "\n- %s: %s", s.Name, s.Description)
	}
	return b.String()
}

type input struct {
	Skill string `json:"skill" doc:"name of the skill, as it is listed"`
	File  string `json:"file,omitempty" doc:"a file of the skill, as its SKILL.md or the list of its files names it; default SKILL.md"`
}

// New returns the tool that reads skills.
func New(skills []Skill) tool.Tool {
	return tool.New(tool.NewSpec{
		Name: ToolName,
		Description: "Reads a skill: what the person wrote down about how a kind of task is done. Without a file it returns SKILL.md and the names of the " +
			"skill's other files; with one, that file, a text or a picture. Files lie with the runtime, not on the computer that you operate.",
	}, func(_ context.Context, in input) (deskhand.Result, error) {
		i := slices.IndexFunc(skills, func(s Skill) bool { return s.Name == in.Skill })
		if i < 0 {
			return deskhand.Result{}, deskhand.Errorf("", deskhand.NotFound, "there is no skill of that name; there are %s", names(skills))
		}
		return skills[i].show(in.File)
	})
}

func names(skills []Skill) string {
	var out []string
	for _, s := range skills {
		out = append(out, s.Name)
	}
	return strings.Join(out, ", ")
}

func (s Skill) show(name string) (deskhand.Result, error) {
	if name == "" {
		name = entry
	}
	name = clean(name)
	f, ok := s.files[name]
	switch {
	case !ok:
		return deskhand.Result{}, deskhand.Errorf("", deskhand.NotFound, "the skill %s has no such file; it has %s", s.Name, strings.Join(s.Files(), ", "))
	case f.why != "":
		return deskhand.Result{}, deskhand.Errorf("", deskhand.Invalid, "%s of the skill %s cannot be shown: %s", name, s.Name, f.why)
	case f.picture != nil:
		return deskhand.Result{Content: []deskhand.Content{{Image: f.picture}}}, nil
	}
	r := deskhand.Text(f.text)
	if others := s.Files(); name == entry && len(others) > 1 {
		others = slices.DeleteFunc(others, func(o string) bool { return o == entry })
		r.Content = append(r.Content, deskhand.Content{Text: "Other files of this skill: " + strings.Join(others, ", ")})
	}
	return r, nil
}

// Files returns the names of the skill's files, in order.
func (s Skill) Files() []string { return slices.Sorted(maps.Keys(s.files)) }
