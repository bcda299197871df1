package script

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
)

func TestParse(t *testing.T) {
	t.Parallel()
	s, err := Parse("a.txtar", []byte(`What it shows.
-- options --
key sk-1
tries 4
-- status 529 retry-after 2 --
Overloaded.
-- cut 120 --
-- wait 100ms --
-- when found #F29F05 nth 2 --
-- model --

thinking: look around
First line,

second line.
left_click {
  "coordinate": "@color #F29F05 +10,-4"
}
browser.navigate {"url": "https://example.com"}
After.

-- expect --
contains "a \"b\""
no error
-- stop_reason max_tokens --
-- raw --
[{"type": "redacted_thinking", "data": "x"}]
`))
	if err != nil {
		t.Fatal(err)
	}
	if s.Comment() != "What it shows." || s.key != "sk-1" || s.tries != 4 || len(s.steps) != 2 {
		t.Fatalf("script %+v", s)
	}
	first := s.steps[0]
	if len(first.faults) != 2 || first.faults[0] != (fault{status: 529, message: "Overloaded.", retryAfter: "2"}) || first.faults[1].cut != 120 ||
		first.wait != 100*time.Millisecond || len(first.whens) != 1 || first.whens[0].what.nth != 2 {
		t.Errorf("first step %+v", first)
	}
	if len(first.blocks) != 5 {
		t.Fatalf("blocks %+v", first.blocks)
	}
	b := first.blocks
	if b[0].thinking != "look around" || b[1].text != "First line,\n\nsecond line." || b[4].text != "After." {
		t.Errorf("texts %+v", b)
	}
	if b[2].call.name != "left_click" || string(b[2].call.input) != `{"coordinate":"@color #F29F05 +10,-4"}` || b[2].line != 16 {
		t.Errorf("call %+v at line %d", b[2].call, b[2].line)
	}
	if b[3].call.toolset != "browser" || b[3].line != 19 || b[4].line != 20 {
		t.Errorf("call %+v at line %d, then %d", b[3].call, b[3].line, b[4].line)
	}
	second := s.steps[1]
	if second.stop != "max_tokens" || len(second.expects) != 2 || second.expects[1].line != 24 || len(second.blocks) != 1 {
		t.Errorf("second step %+v", second)
	}
}

func TestMalformedScripts(t *testing.T) {
	t.Parallel()
	tests := []struct{ src, want string }{
		{"", `a.txtar:1: the script has no reply; write a section such as "-- model --".`},
		{"Words.\n-- modle --\nhi\n", `a.txtar:2: there is no section "modle"; the sections are aside, cut, error, expect, left_out, model, options, raw, status, stop_reason, wait, when.`},
		{"-- model now --\nhi\n", `a.txtar:1: a reply's section takes no arguments, not "now".`},
		{"-- model --\nhi\nleft_click {\"coordinate\": [1, 2}\n", `a.txtar:3: the input of left_click is not a JSON object: invalid character`},
		{"-- model --\nleft_click {\"coordinate\": [1,\n", `a.txtar:2: the input of left_click is not a JSON object: unexpected EOF.`},
		{"-- model --\nscreenshot {} please\n", `a.txtar:2: text follows the input of screenshot on its line.`},
		{"-- model --\nhi\n\nleft_click {\"coordinate\": \"@colour #112233\"}\n", `a.txtar:4: there is no placeholder @colour; use @color, @region, @x or @y.`},
		{"-- model --\nleft_click {\"a\": [{\"b\": \"@color #1122\"}]}\n", `a.txtar:2: a place begins with a colour such as #F29F05, not "#1122".`},
		{"-- model --\nleft_click {\"a\": \"@color #112233 nth\"}\n", `a.txtar:2: "nth" in a place is not "nth N"`},
		{"-- model --\nleft_click {\"a\": \"@color #112233 sideways\"}\n", `a.txtar:2: "sideways" in a place is not "nth N"`},
		{"-- when seen #112233 --\n-- model --\n", `a.txtar:1: write "-- when found #RRGGBB --"`},
		{"-- when found red --\n-- model --\n", `a.txtar:1: a place begins with a colour such as #F29F05, not "red".`},
		{"-- model --\nhi\n-- expect --\nno error\ncontains red\n", `a.txtar:5: red is not a quoted string.`},
		{"-- expect --\nimage please\n", `a.txtar:2: please is not a quoted string.`},
		{"-- expect --\nsunshine\n", `a.txtar:2: "sunshine" is not an expectation`},
		{"-- expect now --\n", `a.txtar:1: an expect section takes no arguments`},
		{"-- status 200 --\n", `a.txtar:1: "200" is not an HTTP error status (400 to 599).`},
		{"-- status --\n", `a.txtar:1: write "-- status CODE --"`},
		{"-- cut --\n", `a.txtar:1: write "-- cut BYTES --"`},
		{"-- cut 10 --\nwords\n", `a.txtar:2: a cut section has no text of its own.`},
		{"-- error odd_error --\n", `a.txtar:1: write "-- error TYPE --"`},
		{"-- wait soon --\n", `a.txtar:1: "soon" is not a duration such as 100ms, up to 1h.`},
		{"-- wait 48h --\n", `a.txtar:1: "48h" is not a duration`},
		{"-- stop_reason --\n", `a.txtar:1: write "-- stop_reason NAME --"`},
		{"-- raw --\n{}\n", `a.txtar:2: a raw section is a JSON array of content blocks`},
		{"-- raw --\n[1]\n", `a.txtar:2: every block of a raw section is an object with a type.`},
		{"-- model --\nhi\n-- options --\ntries 2\n", `a.txtar:3: the options section comes first.`},
		{"-- options --\nspeed 2\n", `a.txtar:2: "speed 2" is not an option`},
		{strings.Repeat("a", maxScript+1), `a.txtar: the script is longer than 8388608 bytes.`},
	}
	for _, tt := range tests {
		_, err := Parse("a.txtar", []byte(tt.src))
		if deskhand.CodeOf(err) != deskhand.Invalid || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("Parse(%.60q): %v, want %s", tt.src, err, tt.want)
		}
	}
}

func TestProseIsNotACall(t *testing.T) {
	t.Parallel()
	s, err := Parse("a.txtar", []byte("-- model --\nI use {braces} here.\n@home {x\nok {\"really\": true}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if b := s.steps[0].blocks; len(b) != 2 || b[0].text != "I use {braces} here.\n@home {x" || b[1].call.name != "ok" {
		t.Errorf("blocks %+v", b)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(twoTurns))
	f.Add([]byte("-- when gone #010203 nth 2 min 9 --\n-- raw --\n[{\"type\":\"text\"}]\n"))
	scripts, err := filepath.Glob("../claude/testdata/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range scripts {
		src, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		s, err := Parse("f", src)
		if err != nil {
			if strings.Contains(err.Error(), "\n") && !strings.Contains(string(src), "\\n") {
				t.Errorf("the message has several lines: %q", err)
			}
			return
		}
		if len(s.steps) == 0 {
			t.Error("a script without steps")
		}
	})
}
