package local

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/deskhand/deskhand"
)

// TestGate: trust allows as long as nobody can be asked, and says what it would
// have asked; the other modes are judged as they are, and an unknown one denies.
func TestGate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mode, sandbox, command string
		want                   deskhand.Outcome
		says                   string
	}{
		{"trust", "bwrap", "rm x", deskhand.Allow, ""},
		{"trust", "bwrap", "rm -rf /", deskhand.Allow, "Nobody can be asked yet. It deletes for good"},
		{"trust", "none", "make", deskhand.Allow, "Nobody can be asked yet."},
		{"ask", "bwrap", "touch x", deskhand.Ask, "It changes something"},
		{"ask", "bwrap", "ls", deskhand.Allow, ""},
		{"auto", "bwrap", "touch x", deskhand.Allow, ""},
		{"plan", "bwrap", "touch x", deskhand.Deny, "no plan"},
		{"", "bwrap", "ls", deskhand.Deny, "not known"},
	} {
		in, _ := json.Marshal(map[string]string{"command": c.command})
		v := gate(deskhand.Task{Permission: c.mode, Sandbox: c.sandbox})(deskhand.Call{Name: "bash", Input: in})
		if v.Outcome != c.want || !strings.Contains(v.Reason, c.says) || v.Rule == "" || c.says == "" && v.Reason != "" {
			t.Errorf("%s %q: %+v", c.mode, c.command, v)
		}
	}
}
