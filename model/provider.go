package model

import (
	"slices"
	"strings"
)

// Provider is who serves a model.
type Provider string

// The providers.
const (
	Anthropic   Provider = "anthropic"
	Bedrock     Provider = "bedrock"     // Amazon Bedrock, InvokeModel
	Vertex      Provider = "vertex"      // Google Cloud, publisher models
	GoogleCloud Provider = "googlecloud" // Google Cloud, managed by Anthropic
	Foundry     Provider = "foundry"     // Microsoft Foundry
	AWS         Provider = "aws"         // Claude Platform on AWS, managed by Anthropic
)

// providerRow is what a provider does differently from the Claude API.
type providerRow struct {
	provider Provider
	title    string
	bounds   Bounds                          // zero fields: the model's
	name     func(m Info) string             // of a model there; nil: the same
	computer func(types []string) []string   // the types it accepts of those the model does; nil: the same
	lacks    []func(m *Info) (feature *bool) // of the optional parts
}

// providers returns the table, state of November 2026. Where the documentation
// contradicts itself, the row says what worked longest; models.json overrides it.
func providers() []providerRow {
	const mega = 1 << 20
	return []providerRow{
		{provider: Anthropic, title: "Claude API"},
		{provider: AWS, title: "Claude Platform on AWS"},
		{provider: GoogleCloud, title: "Claude on Google Cloud"},
		{provider: Vertex, title: "Vertex AI", bounds: Bounds{Body: 18 * mega, ImageBytes: 5 * mega}, name: vertexName},
		{provider: Bedrock, title: "Amazon Bedrock", bounds: Bounds{Body: 11 * mega, ImageBytes: 5 * mega},
			name: bedrockName, computer: alsoSingle, lacks: []func(*Info) *bool{binds}},
		{provider: Foundry, title: "Microsoft Foundry", computer: singleFirst},
	}
}

func binds(m *Info) *bool { return &m.Binds }

// vertexName writes the date of a model behind an at sign.
func vertexName(m Info) string {
	if date, ok := strings.CutPrefix(m.Dated, m.ID+"-"); ok {
		return m.ID + "@" + date
	}
	return ""
}

func bedrockName(m Info) string {
	if m.Dated != "" {
		return "anthropic." + m.Dated + "-v1:0"
	}
	return "anthropic." + m.ID
}

// alsoSingle: the single tool is taken also by models that elsewhere take the
// toolset only, and the toolset is not known to be taken.
func alsoSingle(types []string) []string {
	if !slices.Contains(types, ComputerToolset) {
		return types
	}
	return []string{Computer20251124, ComputerToolset}
}

// singleFirst: the toolset is not known to be taken, so another type goes first.
func singleFirst(types []string) []string {
	if len(types) < 2 || types[0] != ComputerToolset {
		return types
	}
	return append(slices.Clone(types[1:]), types[0])
}

// Override is what is different of one model at one provider. Fields that are
// nil or empty are as the table of providers says.
type Override struct {
	Name     string   `json:"name,omitempty"`
	Computer []string `json:"computer,omitempty"`
	Bounds   *Bounds  `json:"bounds,omitempty"`
	Clears   *bool    `json:"clears,omitempty"`
	Compacts *bool    `json:"compacts,omitempty"`
	Binds    *bool    `json:"binds,omitempty"`
}

// Providers returns the names of all providers.
func Providers() []Provider {
	var all []Provider
	for _, p := range providers() {
		all = append(all, p.provider)
	}
	return all
}

func providerNames() string {
	var names []string
	for _, p := range Providers() {
		names = append(names, string(p))
	}
	return strings.Join(names, ", ")
}

// At returns what is known of the model at a provider; empty is Anthropic.
func (m Info) At(p Provider) Info {
	for _, row := range providers() {
		if row.provider == p {
			m = m.with(row)
		}
	}
	return m.override(m.Providers[p])
}

func (m Info) with(row providerRow) Info {
	m.Bounds = m.Bounds.but(row.bounds)
	if row.name != nil {
		m.Name = row.name(m)
	}
	if row.computer != nil {
		m.Computer = row.computer(m.Computer)
	}
	for _, feature := range row.lacks {
		*feature(&m) = false
	}
	return m
}

func (m Info) override(o Override) Info {
	if o.Name != "" {
		m.Name = o.Name
	}
	if len(o.Computer) > 0 {
		m.Computer = o.Computer
	}
	if o.Bounds != nil {
		m.Bounds = m.Bounds.but(*o.Bounds)
	}
	for _, f := range []struct{ to, from *bool }{{&m.Clears, o.Clears}, {&m.Compacts, o.Compacts}, {&m.Binds, o.Binds}} {
		if f.from != nil {
			*f.to = *f.from
		}
	}
	return m
}

// but returns b with the fields that o has.
func (b Bounds) but(o Bounds) Bounds {
	for _, f := range []struct {
		to   *int
		from int
	}{{&b.Images, o.Images}, {&b.Body, o.Body}, {&b.ImageBytes, o.ImageBytes}} {
		if f.from > 0 {
			*f.to = f.from
		}
	}
	return b
}

func (b Bounds) usable() bool { return b.Images > 0 && b.Body > 0 && b.ImageBytes > 0 }

func (m Info) overridesFit() bool {
	for p, o := range m.Providers {
		if !slices.Contains(Providers(), p) || !all(o.Computer, toolType) || o.Name != "" && !modelID.MatchString(o.Name) {
			return false
		}
	}
	return true
}
