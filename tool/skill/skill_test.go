package skill_test

import (
	"bytes"
	"encoding/json"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/tool/skill"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const good = "---\nname: invoices\ndescription: >\n  How invoices are filed.\n  Use it for anything with invoices.\nlicense: Apache-2.0\nmetadata:\n  author: me\n---\n# Invoices\n\nOpen the ledger first.\n"

// folder makes a folder of files and returns its path.
func folder(t testing.TB, name string, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	for file, text := range files {
		path := filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func picture(t testing.TB, w, h int) string {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, w, h))); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestLoad(t *testing.T) {
	t.Parallel()
	dir := folder(t, "invoices", map[string]string{"SKILL.md": good})
	for text, form := range map[string]string{good: "as it is", strings.ReplaceAll(good, "\n", "\r\n"): "with the line ends of Windows"} {
		if err := os.WriteFile(filepath.Join(dir, "SKILL.md"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := skill.Load(dir)
		if err != nil || s.Name != "invoices" || s.Description != "How invoices are filed. Use it for anything with invoices." || s.Dir != dir {
			t.Errorf("%s: %+v, %v", form, s, err)
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	front := func(lines string) map[string]string {
		return map[string]string{"SKILL.md": "---\n" + lines + "\n---\ntext"}
	}
	many := map[string]string{"SKILL.md": good}
	for i := range 201 {
		many["f"+strings.Repeat("x", i)] = ""
	}
	for name, c := range map[string]struct {
		files map[string]string
		says  string
	}{
		"no file":        {map[string]string{"README.md": good}, "SKILL.md: there is no such file"},
		"no front":       {map[string]string{"SKILL.md": "# Invoices"}, "SKILL.md: it does not begin with a front matter"},
		"open front":     {map[string]string{"SKILL.md": "---\nname: invoices\n"}, "does not begin with a front matter"},
		"not YAML":       {front("name: [invoices"), "its front matter is not YAML"},
		"no name":        {front("description: x"), "has no name"},
		"bad name":       {front("name: In voices\ndescription: x"), `its name "In voices"`},
		"two hyphens":    {front("name: in--voices\ndescription: x"), "single hyphens"},
		"other name":     {front("name: receipts\ndescription: x"), `its name is "receipts" and its folder is called "invoices"`},
		"no description": {front("name: invoices\ndescription: ' '"), "has no description"},
		"long":           {front("name: invoices\ndescription: " + strings.Repeat("x", 1025)), "longer than 1024"},
		"binary":         {map[string]string{"SKILL.md": "---\x00"}, "neither a text"},
		"too many":       {many, "more than 200 files"},
	} {
		_, err := skill.Load(folder(t, "invoices", c.files))
		if deskhand.CodeOf(err) != deskhand.Invalid || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "invoices") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := skill.Load(filepath.Join(t.TempDir(), "nowhere")); deskhand.CodeOf(err) != deskhand.Invalid {
		t.Errorf("a folder that is not there: %v", err)
	}
	one, two := folder(t, "invoices", map[string]string{"SKILL.md": good}), folder(t, "invoices", map[string]string{"SKILL.md": good})
	if _, err := skill.LoadAll([]string{one, two}); err == nil || !strings.Contains(err.Error(), one) || !strings.Contains(err.Error(), two) {
		t.Errorf("two of one name: %v", err)
	}
}

func TestIn(t *testing.T) {
	t.Parallel()
	dir := folder(t, "odd [*]", map[string]string{"b/SKILL.md": good, "a/SKILL.md": good, "c/README.md": "x", "SKILL.md": good})
	got, err := skill.In(dir)
	if err != nil || len(got) != 2 || got[0] != filepath.Join(dir, "a") || got[1] != filepath.Join(dir, "b") {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := skill.In(filepath.Join(dir, "nowhere")); err != nil || len(got) != 0 {
		t.Errorf("nowhere: %q, %v", got, err)
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	outside := folder(t, "outside", map[string]string{"secret": "sk-ant"})
	dir := folder(t, "invoices", map[string]string{
		"SKILL.md": good, "ref/more.md": "More.", "shot.png": picture(t, 64, 48), "huge.png": picture(t, 1569, 10),
		"tool.bin": "\xff\x00", "long.txt": strings.Repeat("x", 300_000), ".git/config": "x", ".hidden": "x",
	})
	for name, to := range map[string]string{"out.md": filepath.Join(outside, "secret"), "in.md": "ref/more.md", "up": outside} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	s, err := skill.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "SKILL.md"), []byte("changed while the task runs"), 0o600); err != nil {
		t.Fatal(err)
	}
	tl := skill.New([]skill.Skill{s})
	read := func(input string) deskhand.Result {
		r, err := tl.Run(t.Context(), deskhand.Call{ID: "a", Name: skill.ToolName, Input: json.RawMessage(input)})
		if err != nil {
			t.Fatalf("%s: %v", input, err)
		}
		return r
	}
	if r := read(`{"skill":"invoices"}`); r.IsError || r.Content[0].Text != good ||
		r.Content[1].Text != "Other files of this skill: huge.png, in.md, long.txt, out.md, ref/more.md, shot.png, tool.bin, up" {
		t.Errorf("SKILL.md: %+v", r)
	}
	if r := read(`{"skill":"invoices","file":"shot.png"}`); r.IsError || r.Content[0].Image == nil || r.Content[0].Image.Size != (deskhand.Size{W: 64, H: 48}) {
		t.Errorf("a picture: %+v", r)
	}
	for input, says := range map[string]string{
		`{"skill":"invoices","file":"ref/more.md"}`:   "More.",
		`{"skill":"invoices","file":"./ref/more.md"}`: "More.",
		`{"skill":"invoices","file":"in.md"}`:         "More.",
	} {
		if r := read(input); r.IsError || r.Content[0].Text != says {
			t.Errorf("%s: %+v", input, r)
		}
	}
	for input, says := range map[string]string{
		`{"skill":"other"}`:                               "there is no skill of that name; there are invoices",
		`{"skill":"invoices","file":"huge.png"}`:          "larger than 1568",
		`{"skill":"invoices","file":"tool.bin"}`:          "neither a text",
		`{"skill":"invoices","file":"long.txt"}`:          "longer than 256 kB",
		`{"skill":"invoices","file":"out.md"}`:            "cannot be read",
		`{"skill":"invoices","file":"up/secret"}`:         "has no such file",
		`{"skill":"invoices","file":"../outside/secret"}`: "has no such file",
		`{"skill":"invoices","file":"/etc/passwd"}`:       "has no such file",
		`{"skill":"invoices","file":".git/config"}`:       "has no such file",
		`{"file":"SKILL.md"}`:                             "invalid input",
	} {
		if r := read(input); !r.IsError || !strings.Contains(r.Content[0].Text, says) || strings.Contains(r.Content[0].Text, outside) {
			t.Errorf("%s: %+v", input, r)
		}
	}
}

func TestListing(t *testing.T) {
	t.Parallel()
	if got := skill.Listing(nil); got != "" {
		t.Errorf("no skills are listed as %q", got)
	}
	got := skill.Listing([]skill.Skill{{Name: "a", Description: "First."}, {Name: "b", Description: "Second."}})
	if !strings.HasSuffix(got, "\n\n- a: First.\n- b: Second.") || !strings.Contains(got, skill.ToolName) {
		t.Errorf("listed as %q", got)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte("---\nname: a\n---"))
	f.Add([]byte("---\n&a [*a]\n---\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		dir := folder(t, "invoices", map[string]string{"SKILL.md": string(text)})
		if s, err := skill.Load(dir); err == nil && (s.Name != "invoices" || s.Description == "" || strings.ContainsAny(s.Description, "\n\r")) {
			t.Errorf("%q was read as %+v", text, s)
		}
	})
}
