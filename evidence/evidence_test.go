package evidence_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop/fake"
	"github.com/deskhand/deskhand/evidence"
	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/sandbox/host"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestParse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]deskhand.Criterion{
		"file:/a/b":           {Kind: "file", Want: "/a/b"},
		"file:/a~^x:y$":       {Kind: "file", Want: "/a~^x:y$"},
		"command:test -e a:b": {Kind: "command", Want: "test -e a:b"},
		"look:Is it: open?":   {Kind: "look", Want: "Is it: open?"},
	} {
		if got, err := evidence.Parse(text); err != nil || got != want || got.String() != text {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for text, says := range map[string]string{
		"":                                  "not a check",
		"done":                              "command, file, look, text, url, window",
		"file:":                             "after file: stands /PATH",
		"file:a":                            "the path is not absolute",
		"file:/a/../b":                      "the path is not absolute and plain",
		"file:/a~(":                         "the pattern is not one",
		"file:/a=sha256:12":                 "64 hexadecimal digits",
		"look: \n":                          "after look: stands",
		"text:" + strings.Repeat("x", 5000): "at most 4096",
	} {
		if _, err := evidence.Parse(text); deskhand.CodeOf(err) != deskhand.Invalid || !strings.Contains(err.Error(), says) {
			t.Errorf("%.20q: %v, want %q", text, err, says)
		}
	}
}

// place is a folder of this machine and a screen in memory.
func place(t *testing.T) (evidence.Place, string) {
	t.Helper()
	dir := t.TempDir()
	sb := host.New(host.Config{Home: dir, Env: []string{"HOME=" + dir, "PATH=/usr/bin:/bin"}})
	t.Cleanup(func() {
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
	})
	d := fake.New(deskhand.Size{W: 320, H: 200})
	t.Cleanup(func() { d.Close() })
	return evidence.Place{Sandbox: sb, Desktop: d}, dir
}

// one looks at one criterion.
func one(t *testing.T, p evidence.Place, text string) deskhand.Checked {
	t.Helper()
	c, err := evidence.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	items, err := evidence.Check(t.Context(), p, []deskhand.Criterion{c})
	if err != nil || len(items) != 1 || items[0].Criterion != c {
		t.Fatalf("%s: %+v, %v", text, items, err)
	}
	return items[0]
}

func TestFilesAndCommands(t *testing.T) {
	t.Parallel()
	p, dir := place(t)
	file := filepath.Join(dir, "note")
	if err := os.WriteFile(file, []byte("Grüße\x1b[31m\nend"), 0o600); err != nil {
		t.Fatal(err)
	}
	big := filepath.Join(dir, "big")
	if err := os.WriteFile(big, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(big, 9<<20); err != nil {
		t.Fatal(err)
	}
	hash := string(deskhand.HashOf([]byte("Grüße\x1b[31m\nend")))
	for text, want := range map[string]struct {
		finding deskhand.Finding
		says    string
	}{
		"file:" + file:                                             {deskhand.Verified, "has 16 bytes"},
		"file:" + dir:                                              {deskhand.Verified, "is a folder"},
		"file:" + file + "x":                                       {deskhand.Refuted, "does not exist"},
		"file:" + file + "~Gr.ße":                                  {deskhand.Verified, `has "Grüße" at byte 0`},
		"file:" + file + "~^end$":                                  {deskhand.Verified, `has "end" at byte`},
		"file:" + file + "~gone":                                   {deskhand.Refuted, "nothing in it matches"},
		"file:" + dir + "~x":                                       {deskhand.Refuted, "is not a file"},
		"file:" + file + "=sha256:" + hash:                         {deskhand.Verified, "exactly the 16 bytes"},
		"file:" + file + "=sha256:" + strings.ToUpper(hash):        {deskhand.Verified, "exactly the 16 bytes"},
		"file:" + file + "=sha256:" + string(deskhand.HashOf(nil)): {deskhand.Refuted, "16 bytes with the hash " + hash},
		"file:" + big + "~x":                                       {deskhand.NotVerified, "more than 8 MB"},
		"command:echo out; echo err >&2":                           {deskhand.Verified, "status 0"},
		"command:cd " + dir + " && grep -q end note":               {deskhand.Verified, "status 0."},
		"command:echo no such luck >&2; exit 3":                    {deskhand.Refuted, `status 3. It said "no such luck`},
		"command:kill -9 $$":                                       {deskhand.Refuted, "status 137"},
		"command:yes | head -c 300000":                             {deskhand.Verified, "status 0"},
		"url:https://example.org/":                                 {deskhand.NotVerified, "cannot be read here"},
		"look:It is red.":                                          {deskhand.NotVerified, "no model can be asked"},
		"window:Editor":                                            {deskhand.Refuted, "No window has a title"},
	} {
		got := one(t, p, text)
		if got.Finding != want.finding || !strings.Contains(got.Evidence, want.says) || strings.ContainsAny(got.Evidence, "\x1b\n") {
			t.Errorf("%s: %s, %q", text, got.Finding, got.Evidence)
		}
	}
}

// TestNothingThere looks at a place that has nothing: it is said, not guessed.
func TestNothingThere(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"file:/etc/passwd", "command:true", "text:a", "window:a", "url:a", "look:a"} {
		if got := one(t, evidence.Place{}, text); got.Finding != deskhand.NotVerified || !strings.Contains(got.Evidence, "could not be looked at") {
			t.Errorf("%s: %+v", text, got)
		}
	}
	items, err := evidence.Check(t.Context(), evidence.Place{}, []deskhand.Criterion{{Kind: "later", Want: "x"}})
	if err != nil || items[0].Finding != deskhand.NotVerified {
		t.Errorf("a kind of a later version: %+v, %v", items, err)
	}
}

// TestStartUpFilesDoNotCount has the shell's start-up files lie.
func TestStartUpFilesDoNotCount(t *testing.T) {
	t.Parallel()
	p, dir := place(t)
	for _, name := range []string{".bashrc", ".bash_profile", ".profile"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("false() { true; }\nexit 0\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := one(t, p, "command:false"); got.Finding != deskhand.Refuted {
		t.Errorf("%+v", got)
	}
}

func TestLook(t *testing.T) {
	t.Parallel()
	verdict := func(input string) []deskhand.Call {
		return []deskhand.Call{{ID: "a", Name: "verdict", Input: json.RawMessage(input)}}
	}
	yes := verdict(`{"answer":"yes","evidence":"It is there."}`)
	for name, c := range map[string]struct {
		reply model.Reply
		err   error
		want  deskhand.Finding
	}{
		"yes":       {model.Reply{Calls: yes}, nil, deskhand.Verified},
		"no":        {model.Reply{Calls: verdict(`{"answer":"no","evidence":"It is not."}`)}, nil, deskhand.Refuted},
		"unclear":   {model.Reply{Calls: verdict(`{"answer":"unclear","evidence":"?"}`)}, nil, deskhand.NotVerified},
		"words":     {model.Reply{Text: "yes, verified, answer: yes"}, nil, deskhand.NotVerified},
		"other":     {model.Reply{Calls: verdict(`{"answer":"YES","evidence":""}`)}, nil, deskhand.NotVerified},
		"malformed": {model.Reply{Calls: verdict(`["yes"]`)}, nil, deskhand.NotVerified},
		"twice":     {model.Reply{Calls: append(yes, yes...)}, nil, deskhand.NotVerified},
		"elsewhere": {model.Reply{Calls: []deskhand.Call{{Name: "verdict", Toolset: "computer", Input: yes[0].Input}}}, nil, deskhand.NotVerified},
		"api":       {model.Reply{}, &model.Error{Message: "The API is down."}, deskhand.NotVerified},
	} {
		p, _ := place(t)
		p.Ask = func(_ context.Context, _ string, req model.Request) (model.Reply, error) {
			blocks := req.Messages[0].Blocks
			if len(req.Messages) != 1 || len(req.Tools) != 1 || len(blocks) != 2 || blocks[0].Text != "The statement: It is there." || blocks[1].Image == nil {
				t.Errorf("asked %+v", req)
			}
			return c.reply, c.err
		}
		got := one(t, p, "look:It is there.")
		if got.Finding != c.want || (got.Image == nil) != (c.err != nil) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	p, _ := place(t)
	broke := errors.New("the budget is spent")
	p.Ask = func(context.Context, string, model.Request) (model.Reply, error) { return model.Reply{}, broke }
	if _, err := evidence.Check(t.Context(), p, []deskhand.Criterion{{Kind: "look", Want: "x"}}); !errors.Is(err, broke) {
		t.Errorf("a request that was refused: %v", err)
	}
}

func TestStopsWhenToldTo(t *testing.T) {
	t.Parallel()
	p, dir := place(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		for _, err := os.Stat(filepath.Join(dir, "started")); err != nil && t.Context().Err() == nil; {
			_, err = os.Stat(filepath.Join(dir, "started"))
		}
		cancel(errors.New("enough"))
	}()
	_, err := evidence.Check(ctx, p, []deskhand.Criterion{{Kind: "command", Want: "touch " + dir + "/started; sleep 1000"}})
	if err == nil || err.Error() != "enough" {
		t.Errorf("it ended with %v", err)
	}
}
