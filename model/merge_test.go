package model

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/deskhand/deskhand"
)

var update = flag.Bool("update", false, "write the table of docs/models.md")

const whole = `[{"id": "new-1", "computer": ["computer_20250124"], "editor": "text_editor_20250124", "bash": "bash_20241022",
	"image": {"max_edge": 1568, "max_tokens": 1568}, "prices": [{"up_to": 100, "input": 1, "output": 2}, {"input": 3, "output": 4}],
	"context": 200000, "max_output": 64000, "max_tokens": 16000, "min_cache": 1024,
	"thinking": {"send": { "type": "adaptive" }, "accepts": ["adaptive", "disabled"], "capped": ["disabled"], "default": "off"},
	"effort": "low", "efforts": ["low", "high"], "forced": true, "preserved": true, "dated": "new-1-20261121", "end_of_life": "2027-01-31"}]`

func merged(t *testing.T, data string) Catalogue {
	t.Helper()
	c, err := Catalogue{}.Merge("models.json", []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func found(t *testing.T, c Catalogue, id string) Info {
	t.Helper()
	m, err := c.Lookup(id)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMergeAddsAModel(t *testing.T) {
	t.Parallel()
	c := merged(t, whole)
	want := Info{
		ID: "new-1", Dated: "new-1-20261121", EndOfLife: "2027-01-31", Computer: []string{"computer_20250124"}, Editor: "text_editor_20250124", Bash: "bash_20241022",
		Limits: Limits{MaxEdge: 1568, MaxTokens: 1568}, Prices: []Price{{100, 1, 2}, {0, 3, 4}},
		Context: 200000, MaxOutput: 64000, MaxTokens: 16000, MinCache: 1024,
		Thinking: Thinking{Send: `{"type":"adaptive"}`, Accepts: []string{"adaptive", "disabled"}, Capped: []string{"disabled"}, Default: "off"},
		Effort:   "low", Efforts: []string{"low", "high"}, Forced: true, Preserved: true,
		Bounds: boundsOf(200_000),
	}
	if got := found(t, c, "new-1-20261121"); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if ids := c.IDs(); len(ids) != len(IDs())+1 || ids[0] != "new-1" {
		t.Errorf("ids %q", ids)
	}
	if _, err := c.Lookup("new-2"); err == nil || !strings.Contains(err.Error(), "Did you mean new-1") {
		t.Errorf("%v", err)
	}
	if _, err := Lookup("new-1"); deskhand.CodeOf(err) != deskhand.NotFound {
		t.Errorf("the built-in catalogue has changed: %v", err)
	}
}

// TestMergeReplacesFields: what a row says replaces a field as a whole, what it
// does not say stays.
func TestMergeReplacesFields(t *testing.T) {
	t.Parallel()
	old := found(t, Catalogue{}, "claude-haiku-5-5")
	c := merged(t, `[{"id": "claude-haiku-5-5", "computer": ["computer_20251124"], "prices": [{"input": 7, "output": 9}]},
		{"id": "claude-sonnet-6", "like": "claude-sonnet-4-5", "context": 1000000},
		{"id": "claude-opus-6", "like": "claude-sonnet-6", "thinking": {"accepts": ["enabled"], "default": "on"}, "forced": false}]`)
	want := old
	want.Computer, want.Prices = []string{"computer_20251124"}, []Price{{0, 7, 9}}
	if got := found(t, c, "claude-haiku-5-5"); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	want = found(t, Catalogue{}, "claude-sonnet-4-5")
	want.ID, want.Dated, want.EndOfLife, want.Context = "claude-sonnet-6", "", "", 1_000_000
	if got := found(t, c, "claude-sonnet-6"); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	want.ID, want.Thinking, want.Forced = "claude-opus-6", Thinking{Accepts: []string{"enabled"}, Default: "on"}, false
	if got := found(t, c, "claude-opus-6"); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if ids, before := c.IDs(), IDs(); len(ids) != len(before)+2 || ids[2] != before[0] {
		t.Errorf("ids %q", ids)
	}
	if again := found(t, Catalogue{}, "claude-haiku-5-5"); !reflect.DeepEqual(again, old) {
		t.Errorf("the built-in row has changed: %+v", again)
	}
	if c := merged(t, `[]`); !reflect.DeepEqual(c.IDs(), IDs()) {
		t.Errorf("an empty list: %q", c.IDs())
	}
}

func TestMergeRefuses(t *testing.T) {
	t.Parallel()
	row := func(fields string) string { return `[{"id": "claude-opus-5", ` + fields + `}]` }
	for data, want := range map[string]string{
		``:                       "expected a JSON list of models, [{…}, …].",
		`{"id": "x"}`:            "expected a JSON list of models, [{…}, …].",
		`null`:                   "expected a JSON list of models, [{…}, …].",
		`[] []`:                  "expected a JSON list of models, [{…}, …].",
		"[\n{\"id\": \"x\",\n}]": "expected a JSON list of models, [{…}, …]; line 3 is not JSON.",
		`[5]`:                    "model 1: expected an object.",
		`[{}]`:                   "model 1: id: expected a string.",
		`[{"id": 5}]`:            "model 1: id: expected a string.",
		`[{"id": "a b", "like": "claude-opus-5"}]`: `model 1 ("a b"): id: not the id of a model.`,
		`[{"id": "x"}]`: `model 1 ("x"): computer: expected types such as computer_toolset_20260801, the best first.`,
		`[{"id": "x", "like": "claude-opus-5-6"}]`:                           `model 1 ("x"): like: there is no model "claude-opus-5-6".`,
		`[{"id": "x", "like": "claude-opus-5"}, {"id": "x"}]`:                `model 2 ("x"): id: the file has this model twice.`,
		`[{"id": "x", "like": "claude-opus-5", "dated": "claude-sonnet-5"}]`: `two models have the name "claude-sonnet-5".`,
		row(`"Context": 5`):               `model 1 ("claude-opus-5"): Context: unknown field.`,
		row(`"context": 5, "context": 6`): `model 1 ("claude-opus-5"): context: given more than once.`,
		row(`"context": "5", "tier": "high", "efforts": [1], "forced": "yes"`): `model 1 ("claude-opus-5"): context: expected a whole number; efforts: expected a list of strings; forced: expected true or false; tier: unknown field.`,
		row(`"context": null`):                                   `model 1 ("claude-opus-5"): context: expected a whole number.`,
		row(`"context": 1.5`):                                    `model 1 ("claude-opus-5"): context: expected a whole number.`,
		row(`"image": {"max_edge": 5, "max_side": 5}`):           `model 1 ("claude-opus-5"): image: expected {"max_edge": N, "max_tokens": N}.`,
		row(`"image": {"max_edge": 1568}`):                       `model 1 ("claude-opus-5"): image: expected the largest edge in pixels and the most tokens.`,
		row(`"prices": [{"up_to": 5, "input": 1, "output": 1}]`): `model 1 ("claude-opus-5"): prices: expected US dollars`,
		row(`"prices": [{"input": -1, "output": 1}]`):            `model 1 ("claude-opus-5"): prices: expected US dollars`,
		row(`"prices": []`):                                      `model 1 ("claude-opus-5"): prices: expected US dollars`,
		row(`"max_tokens": 999999`):                              `model 1 ("claude-opus-5"): max_tokens: expected at most max_output`,
		row(`"computer": ["Computer 1"]`):                        `model 1 ("claude-opus-5"): computer: expected types`,
		row(`"thinking": {"send": {"type": "new"}, "accepts": ["old"], "default": "on"}`): `model 1 ("claude-opus-5"): thinking: send needs a type of accepts`,
		row(`"thinking": {"send": "text", "accepts": ["old"], "default": "on"}`):          `model 1 ("claude-opus-5"): thinking: send needs a type of accepts`,
		row(`"thinking": {"accepts": ["old"]}`):                                           `model 1 ("claude-opus-5"): thinking: default is "on" or "off".`,
		row(`"effort": "huge"`):                                                           `model 1 ("claude-opus-5"): effort: expected one of efforts.`,
		row(`"end_of_life": "soon"`):                                                      `model 1 ("claude-opus-5"): end_of_life: expected a day such as 2026-11-30.`,
	} {
		_, err := Catalogue{}.Merge("models.json", []byte(data))
		if deskhand.CodeOf(err) != deskhand.Invalid || !strings.HasPrefix(err.Error(), "models.json: "+strings.TrimSuffix(want, ".")) || strings.HasSuffix(want, ".") && !strings.HasSuffix(err.Error(), ".") {
			t.Errorf("%s\n got %v\nwant %s", data, err, want)
		}
	}
}

func FuzzMerge(f *testing.F) {
	f.Add([]byte(whole))
	f.Add([]byte(`[{"id": "claude-opus-5", "prices": [{"input": 1e400}]}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Catalogue{}.Merge("f", data)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("%q", err)
			}
			return
		}
		for _, m := range c.all() {
			if fault := m.fault(); fault != "" {
				t.Errorf("%s: %s", m.ID, fault)
			}
		}
	})
}

// TestDocs: docs/models.md shows the tables as they are, and its examples work.
func TestDocs(t *testing.T) {
	t.Parallel()
	const file, end = "../docs/models.md", "<!-- end -->"
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	page := string(raw)
	for name, want := range map[string]string{"table": docTable(), "providers": providerTable()} {
		head, rest, ok := strings.Cut(page, "<!-- "+name+": go test ./model -run TestDocs -update -->\n")
		table, after, ok2 := strings.Cut(rest, end)
		switch {
		case !ok || !ok2:
			t.Fatalf("docs/models.md has no %s", name)
		case *update:
			page = head + "<!-- " + name + ": go test ./model -run TestDocs -update -->\n" + want + end + after
		case table != want:
			t.Errorf("docs/models.md is stale, run with -update:\n%s", want)
		}
	}
	if *update {
		if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	_, tail, _ := strings.Cut(page, "## Your own rows")
	for i, part := range strings.Split(page, "```json\n")[1:] {
		example, _, _ := strings.Cut(part, "```")
		if _, err := (Catalogue{}).Merge(fmt.Sprintf("example %d", i+1), []byte(example)); err != nil {
			t.Error(err)
		}
	}
	for _, f := range rowFields {
		if !strings.Contains(tail, "| `"+f.name+"` |") {
			t.Errorf("docs/models.md does not have the field %s", f.name)
		}
	}
}

func docTable() string {
	var b strings.Builder
	b.WriteString("| model | computer | editor | bash | image edge, tokens | $ in / out | context | history | end |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, m := range catalogue() {
		var prices []string
		for _, p := range m.Prices {
			s := fmt.Sprintf("%g / %g", p.Input, p.Output)
			if p.UpTo > 0 {
				s += fmt.Sprintf(" up to %dk", p.UpTo/1000)
			}
			prices = append(prices, s)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %d, %d | %s | %dk | %s | %s |\n", m.ID, strings.ReplaceAll(strings.Join(m.Computer, ", "), "computer_", ""),
			strings.TrimPrefix(m.Editor, "text_editor_"), strings.TrimPrefix(m.Bash, "bash_"), m.Limits.MaxEdge, m.Limits.MaxTokens,
			strings.Join(prices, ", "), m.Context/1000, history(m), m.EndOfLife)
	}
	return b.String()
}

// history says how a model's history can be kept small.
func history(m Info) string {
	var can []string
	for _, c := range []struct {
		can  bool
		word string
	}{{m.Clears, "cleared"}, {m.Compacts, "summed up"}, {m.Preserved, "bound"}} {
		if c.can {
			can = append(can, c.word)
		}
	}
	return strings.Join(can, ", ")
}

// providerTable shows what providers do differently, by three models.
func providerTable() string {
	var b strings.Builder
	b.WriteString("| provider | `--provider` | `claude-sonnet-5-5` is | computer tool of it, `claude-sonnet-5`, `claude-sonnet-4-5` | request, image | cannot |\n|---|---|---|---|---|---|\n")
	for _, row := range providers() {
		var tools []string
		var newest Info
		for _, id := range []string{"claude-sonnet-4-5", "claude-sonnet-5", "claude-sonnet-5-5"} {
			m, _ := Lookup(id)
			newest = m.At(row.provider)
			tools = append([]string{strings.TrimPrefix(newest.Computer[0], "computer_")}, tools...)
		}
		lacks := ""
		if !newest.Binds {
			lacks = "drop bound thinking"
		}
		fmt.Fprintf(&b, "| %s | `%s` | `%s` | %s | %d MB, %d MB | %s |\n", row.title, row.provider, cmp.Or(newest.Name, newest.ID),
			strings.Join(tools, ", "), newest.Bounds.Body>>20, newest.Bounds.ImageBytes>>20, lacks)
	}
	return b.String()
}
