package machine

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/sandbox/egress"
)

// TestNetwork checks the way out of a whole computer: programs find the proxy,
// what is refused is recorded and told, and there is none without a list.
func TestNetwork(t *testing.T) {
	t.Parallel()
	rules, err := egress.NewRules(nil)
	if err != nil {
		t.Fatal(err)
	}
	m := up(t, Config{Network: &egress.Config{Judge: rules}})
	if got := m.Notices(); len(got) != 1 || !strings.Contains(got[0], "allowed hosts only") {
		t.Errorf("told at the start: %q", got)
	}
	if out := output(t, m, "curl", "-s", "http://evil.test/"); !strings.Contains(out, "it is not on the list of allowed hosts") {
		t.Errorf("curl says %q", out)
	}
	all, err := m.Judged(t.Context())
	if err != nil || len(all) != 1 || all[0].Host != "evil.test" || all[0].Allowed {
		t.Errorf("recorded %+v, %v", all, err)
	}
	if got := m.Notices(); len(got) != 1 || got[0] != egress.Sentence(all[0]) {
		t.Errorf("told %q", got)
	}
	// What the panel starts has it too.
	panel := output(t, m, "sh", "-c", "tr '\\0' '\\n' </proc/$(pidof tint2)/environ | grep -ci '^[a-z]*_proxy='")
	if strings.TrimSpace(panel) != "8" {
		t.Errorf("the panel has %q variables of the proxy", panel)
	}
}

func TestNoNetwork(t *testing.T) {
	t.Parallel()
	m := up(t, Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.Judged(ctx); err == nil {
		t.Error("something is judged")
	}
	if out := output(t, m, "sh", "-c", "env | grep -i proxy; cat /proc/net/tcp | grep -c ' 0A '; curl -s http://127.0.0.1:3128/"); strings.TrimSpace(out) != "0" {
		t.Errorf("there is a proxy: %q", out)
	}
	rules, _ := egress.NewRules(nil)
	if _, err := Up(t.Context(), Config{Driver: None, Network: &egress.Config{Judge: rules}}); deskhand.CodeOf(err) != deskhand.Invalid {
		t.Errorf("a list without walls: %v", err)
	}
	if got := m.Notices(); slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "network") }) {
		t.Errorf("told %q", got)
	}
}
