package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/input"
)

// Merge returns c with the models of a JSON list on top; docs/models.md has its
// form. name stands for the file in errors, which are Invalid and one sentence.
//
// A row begins as the model that its "like" names, else as the model that has
// its id, else empty. Then each of its fields replaces that field as a whole.
func (c Catalogue) Merge(name string, data []byte) (Catalogue, error) {
	var rows []json.RawMessage
	if err := strict(data, &rows); err != nil || rows == nil {
		return Catalogue{}, deskhand.Errorf("", deskhand.Invalid, "%s: expected a JSON list of models, [{…}, …]%s.", name, lineOf(data, err))
	}
	var fresh []Info
	out := Catalogue{slices.Clone(c.all())}
	for i, raw := range rows {
		m, problem := out.read(raw)
		if problem == "" && slices.ContainsFunc(fresh, func(f Info) bool { return f.ID == m.ID }) {
			problem = "id: the file has this model twice"
		}
		if problem == "" {
			problem = m.fault()
		}
		if problem != "" {
			return Catalogue{}, deskhand.Errorf("", deskhand.Invalid, "%s: model %d%s: %s.", name, i+1, bracketed(m.ID), problem)
		}
		fresh = append(fresh, m)
		out = out.with(m)
	}
	return out, out.ambiguous(name)
}

// with returns the catalogue with m in the place of the model with its id, or
// as the newest.
func (c Catalogue) with(m Info) Catalogue {
	if i := slices.IndexFunc(c.rows, func(o Info) bool { return o.ID == m.ID }); i >= 0 {
		rows := slices.Clone(c.rows)
		rows[i] = m
		return Catalogue{rows}
	}
	return Catalogue{append([]Info{m}, c.rows...)}
}

// ambiguous refuses a name that two models answer to.
func (c Catalogue) ambiguous(file string) error {
	seen := map[string]bool{}
	for _, m := range c.rows {
		for _, id := range []string{m.ID, m.Dated} {
			if id != "" && seen[id] {
				return deskhand.Errorf("", deskhand.Invalid, "%s: two models have the name %q.", file, id)
			}
			seen[id] = true
		}
	}
	return nil
}

// read reads one row of a file.
func (c Catalogue) read(raw json.RawMessage) (m Info, problem string) {
	o := input.Read(raw)
	if o.Broken() {
		return m, "expected an object"
	}
	id, wrong := input.String(o.Take("id"))
	if wrong != "" {
		return m, "id: " + wrong
	}
	like, named := o.Take("like"), id
	if like != nil {
		if named, wrong = input.String(like); wrong != "" {
			return Info{ID: id}, "like: " + wrong
		}
	}
	m, known := c.find(named)
	if like != nil && !known {
		return Info{ID: id}, fmt.Sprintf("like: there is no model %.100q", named)
	}
	if m.ID != id { // the names and the end of another model
		m.ID, m.Dated, m.EndOfLife, m.Providers = id, "", "", nil
	}
	for _, f := range rowFields {
		if value := o.Take(f.name); value != nil && (input.Null(value) || f.set(&m, value) != nil) {
			o.Refuse(f.name, "expected "+f.want)
		}
	}
	if m.Bounds == (Bounds{}) {
		m.Bounds = boundsOf(m.Context)
	}
	return m, o.Problem()
}

// rowFields are what a row may have besides id and like.
var rowFields = []struct {
	name, want string
	set        func(*Info, json.RawMessage) error
}{
	{"dated", text, into(func(m *Info) *string { return &m.Dated })},
	{"end_of_life", text, into(func(m *Info) *string { return &m.EndOfLife })},
	{"computer", texts, into(func(m *Info) *[]string { return &m.Computer })},
	{"editor", text, into(func(m *Info) *string { return &m.Editor })},
	{"bash", text, into(func(m *Info) *string { return &m.Bash })},
	{"image", `{"max_edge": N, "max_tokens": N}`, into(func(m *Info) *Limits { return &m.Limits })},
	{"prices", `[{"up_to": N, "input": USD, "output": USD}, …]`, into(func(m *Info) *[]Price { return &m.Prices })},
	{"context", number, into(func(m *Info) *int { return &m.Context })},
	{"max_output", number, into(func(m *Info) *int { return &m.MaxOutput })},
	{"max_tokens", number, into(func(m *Info) *int { return &m.MaxTokens })},
	{"min_cache", number, into(func(m *Info) *int { return &m.MinCache })},
	{"thinking", `{"send": {…}, "accepts": […], "capped": […], "default": "on" or "off"}`, setThinking},
	{"effort", text, into(func(m *Info) *string { return &m.Effort })},
	{"efforts", texts, into(func(m *Info) *[]string { return &m.Efforts })},
	{"forced", truth, into(func(m *Info) *bool { return &m.Forced })},
	{"preserved", truth, into(func(m *Info) *bool { return &m.Preserved })},
	{"bounds", `{"images": N, "body": N, "image_bytes": N}`, into(func(m *Info) *Bounds { return &m.Bounds })},
	{"clears", truth, into(func(m *Info) *bool { return &m.Clears })},
	{"compacts", truth, into(func(m *Info) *bool { return &m.Compacts })},
	{"binds", truth, into(func(m *Info) *bool { return &m.Binds })},
	{"providers", `{"bedrock": {"name": …, "computer": […], "bounds": {…}, "clears": …, "compacts": …, "binds": …}, …}`,
		into(func(m *Info) *map[Provider]Override { return &m.Providers })},
}

const (
	text   = "a string"
	texts  = "a list of strings"
	number = "a whole number"
	truth  = "true or false"
)

// into reads a value that replaces a field: nothing of the old one shines through.
func into[T any](at func(*Info) *T) func(*Info, json.RawMessage) error {
	return func(m *Info, raw json.RawMessage) error {
		var fresh T
		err := strict(raw, &fresh)
		*at(m) = fresh
		return err
	}
}

func setThinking(m *Info, raw json.RawMessage) error {
	var row struct {
		Send    json.RawMessage `json:"send"`
		Accepts []string        `json:"accepts"`
		Capped  []string        `json:"capped"`
		Default string          `json:"default"`
	}
	err := strict(raw, &row)
	var send bytes.Buffer
	if row.Send != nil && err == nil {
		err = json.Compact(&send, row.Send) // as it will be sent
	}
	m.Thinking = Thinking{Send: send.String(), Accepts: row.Accepts, Capped: row.Capped, Default: row.Default}
	return err
}

// strict decodes one value and nothing else, without unknown fields.
func strict(raw []byte, to any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(to); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one value")
	}
	return nil
}

// lineOf says where text stops being JSON, if that is what err is about.
func lineOf(data []byte, err error) string {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return ""
	}
	return fmt.Sprintf("; line %d is not JSON", 1+bytes.Count(data[:min(int(syntax.Offset), len(data))], []byte("\n")))
}

func bracketed(id string) string {
	if id == "" {
		return ""
	}
	return fmt.Sprintf(" (%.100q)", id)
}

var (
	modelID  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:@/-]{0,199}$`)
	toolType = regexp.MustCompile(`^[a-z][a-z0-9_]{0,99}$`)
	day      = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}$`)
)

// fault says what makes a row unusable, in the words of the file; "" is nothing.
func (m Info) fault() string {
	for _, f := range []struct {
		bad     bool
		problem string
	}{
		{!modelID.MatchString(m.ID), "id: not the id of a model"},
		{m.Dated != "" && !modelID.MatchString(m.Dated), "dated: not the id of a model"},
		{m.EndOfLife != "" && !day.MatchString(m.EndOfLife), "end_of_life: expected a day such as 2026-11-30"},
		{len(m.Computer) == 0 || !all(m.Computer, toolType), "computer: expected types such as " + ComputerToolset + ", the best first"},
		{!toolType.MatchString(m.Editor), "editor: expected a type such as text_editor_20250728"},
		{!toolType.MatchString(m.Bash), "bash: expected a type such as bash_20250124"},
		{m.Limits.MaxEdge < patch || m.Limits.MaxTokens < 1, "image: expected the largest edge in pixels and the most tokens"},
		{!ordered(m.Prices), "prices: expected US dollars for a million tokens, rising up_to, and a last row without it"},
		{m.Context < 1 || m.MinCache < 1, "context and min_cache: expected numbers of tokens"},
		{m.MaxTokens < 1 || m.MaxTokens > m.MaxOutput || m.MaxOutput > m.Context, "max_tokens: expected at most max_output, and that at most context"},
		{m.Thinking.Default != "on" && m.Thinking.Default != "off", `thinking: default is "on" or "off"`},
		{!m.Thinking.sendable(), "thinking: send needs a type of accepts, and accepts and capped must fit"},
		{!m.Bounds.usable(), "bounds: expected images, body and image_bytes above 0"},
		{!m.overridesFit(), "providers: expected names of providers (" + providerNames() + "), with a computer that has types"},
		{m.Effort != "" && !slices.Contains(m.Efforts, m.Effort), "effort: expected one of efforts"},
	} {
		if f.bad {
			return f.problem
		}
	}
	return ""
}

func all(names []string, form *regexp.Regexp) bool {
	return !slices.ContainsFunc(names, func(s string) bool { return !form.MatchString(s) })
}

// ordered reports whether every prompt has exactly one price.
func ordered(prices []Price) bool {
	most := 0
	for i, p := range prices {
		last := i == len(prices)-1
		if p.Input < 0 || p.Output < 0 || last != (p.UpTo == 0) || !last && p.UpTo <= most {
			return false
		}
		most = p.UpTo
	}
	return len(prices) > 0
}

func (t Thinking) sendable() bool {
	for _, name := range t.Capped {
		if !slices.Contains(t.Accepts, name) {
			return false
		}
	}
	if t.Send == "" {
		return true
	}
	var send struct {
		Type string `json:"type"`
	}
	return strings.HasPrefix(t.Send, "{") && json.Unmarshal([]byte(t.Send), &send) == nil && slices.Contains(t.Accepts, send.Type)
}
