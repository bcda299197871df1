package model

import (
	"fmt"
	"slices"
	"strings"

	"github.com/deskhand/deskhand"
)

// Default is the model a task uses when none is named.
const Default = "claude-sonnet-5-5"

// The types of the computer tool, as entries of the tools array name them.
const (
	ComputerToolset  = "computer_toolset_20260801"
	Computer20251124 = "computer_20251124"
	Computer20250124 = "computer_20250124"
)

// Info is what is known of one model on the Claude API, or after At on another
// endpoint.
type Info struct {
	ID        string
	Name      string   // of the model at the endpoint; empty: as it was asked for
	Dated     string   // the id with its date, another name of the same model; usually empty
	EndOfLife string   // the day it stops answering, as 2006-01-02; empty when none is announced
	Computer  []string // types of the computer tool it accepts, the best first
	Editor    string   // type of its text editor tool
	Bash      string   // type of its bash tool
	Limits    Limits   // of one image
	Prices    []Price  // by length of the prompt, shortest first
	Context   int      // tokens of prompt and reply together
	MaxOutput int      // highest max_tokens
	MaxTokens int      // max_tokens that deskhand sends
	MinCache  int      // tokens a prefix needs to be cached at all
	Thinking  Thinking
	Effort    string   // effort when none is sent; empty when the model has no such setting
	Efforts   []string // efforts it accepts, lowest first
	Forced    bool     // tool_choice may demand a call
	Preserved bool     // thinking is bound to what came before it: history must never be edited
	Bounds    Bounds   // of one request
	Clears    bool     // the API can clear old results of a history (context editing)
	Compacts  bool     // the API can sum up a history (compaction)
	Binds     bool     // the API can be told to drop thinking whose history was edited

	Providers map[Provider]Override // what is different elsewhere; nil: as the table of providers says
}

// Thinking is a rule for the thinking field of a request.
type Thinking struct {
	Send    string   // the field's value as deskhand sends it, JSON; empty sends none
	Accepts []string // values of thinking.type
	Capped  []string // of those, the ones that need an effort of at most high
	Default string   // what happens without the field: "on" or "off"
}

// Price is what tokens cost for prompts up to a length, in USD per million.
type Price struct {
	UpTo   int     `json:"up_to,omitempty"` // tokens of the whole prompt; 0 is without bound
	Input  float64 `json:"input"`
	Output float64 `json:"output"`
}

// Multiples of the input price. The API's price list names a lower read price
// for the newest models in some places only; the higher one is used for all, so
// that a budget is never overrun.
const (
	cacheWrite5m = 1.25
	cacheWrite1h = 2.0
	cacheRead    = 0.1
	million      = 1e6
)

// Catalogue is a table of models: the zero Catalogue is the built-in one, Merge
// makes others. It does not change and may be used concurrently.
type Catalogue struct {
	rows []Info // nil: the built-in ones
}

func (c Catalogue) all() []Info {
	if c.rows == nil {
		return catalogue()
	}
	return c.rows
}

// Lookup returns what is known of the model with this id, dated or not. An
// unknown one is a NotFound error that names what comes close.
func (c Catalogue) Lookup(id string) (Info, error) {
	if m, ok := c.find(id); ok {
		return m, nil
	}
	return Info{}, deskhand.Errorf("", deskhand.NotFound, "There is no model %q. %s", id, suggestion(id, c.IDs()))
}

func (c Catalogue) find(id string) (Info, bool) {
	for _, m := range c.all() {
		if id != "" && (m.ID == id || m.Dated == id) {
			return m, true
		}
	}
	return Info{}, false
}

// IDs returns the ids of all known models, newest generation first.
func (c Catalogue) IDs() []string {
	var ids []string
	for _, m := range c.all() {
		ids = append(ids, m.ID)
	}
	return ids
}

// Lookup looks into the built-in catalogue.
func Lookup(id string) (Info, error) { return Catalogue{}.Lookup(id) }

// IDs returns the ids of the built-in catalogue.
func IDs() []string { return Catalogue{}.IDs() }

// Accepts reports whether the model accepts a computer tool of this type.
func (m Info) Accepts(toolType string) bool { return slices.Contains(m.Computer, toolType) }

// Cost returns what one request cost in USD. Use it per request and add the
// results: the price of some models depends on the length of each prompt.
func (m Info) Cost(u deskhand.Usage) float64 {
	prompt := u.Input + u.CacheRead + u.CacheWrite
	price := m.priceOf(prompt)
	hour := min(u.CacheWrite1h, u.CacheWrite)
	in := float64(u.Input) + cacheRead*float64(u.CacheRead) +
		cacheWrite5m*float64(u.CacheWrite-hour) + cacheWrite1h*float64(hour)
	return (in*price.Input + float64(u.Output)*price.Output) / million
}

func (m Info) priceOf(prompt int64) Price {
	for _, p := range m.Prices {
		if p.UpTo == 0 || prompt <= int64(p.UpTo) {
			return p
		}
	}
	return Price{}
}

// maxClose is how many near names a refusal offers.
const maxClose = 3

func suggestion(id string, ids []string) string {
	type near struct {
		id   string
		dist int
	}
	var all []near
	for _, known := range ids {
		all = append(all, near{known, distance(strings.ToLower(id), known)})
	}
	slices.SortStableFunc(all, func(a, b near) int { return a.dist - b.dist })
	var names []string
	for _, n := range all {
		if n.dist <= len(n.id)/2 && len(names) < maxClose {
			names = append(names, n.id)
		}
	}
	if len(names) == 0 || len(id) > 100 {
		return fmt.Sprintf("Choose one of %s.", strings.Join(ids, ", "))
	}
	return fmt.Sprintf("Did you mean %s?", strings.Join(names, " or "))
}

// distance is the number of single-letter edits between two short strings.
func distance(a, b string) int {
	if len(a) > 100 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
