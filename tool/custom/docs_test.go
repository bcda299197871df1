package custom_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deskhand/deskhand/sandbox"
	"github.com/deskhand/deskhand/sandbox/host"
	"github.com/deskhand/deskhand/tool"
	"github.com/deskhand/deskhand/tool/custom"
)

// fences returns what docs/tools.md shows as code of a language.
func fences(t *testing.T, language string) []string {
	t.Helper()
	page, err := os.ReadFile("../../docs/tools.md")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for i, part := range strings.Split(string(page), "```") {
		if body, ok := strings.CutPrefix(part, language+"\n"); ok && i%2 == 1 {
			found = append(found, body)
		}
	}
	return found
}

// TestDocumentedEntries runs the entries of docs/tools.md as they stand there;
// only the address that one names is exchanged for that of a server of ours.
func TestDocumentedEntries(t *testing.T) {
	t.Parallel()
	entries := fences(t, "json")
	if len(entries) != 3 {
		t.Fatalf("%d examples, want 3", len(entries))
	}
	sb, home := place(t)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer the-key-of-the-weather" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprintf(w, "%s %s: 15 degrees", r.Method, r.URL)
	}))
	t.Cleanup(s.Close)
	if err := os.WriteFile(filepath.Join(home, "weather.sh"), []byte("#!/bin/sh\necho 15 degrees outside; cat\n"), 0o700); err != nil { //nolint:gosec // it is to be run
		t.Fatal(err)
	}
	const in = `{"location": "San Francisco, CA"}`
	for i, wanted := range []string{"15 degrees", "15 degrees outside\n" + in, "GET /now?lang=en&location=San+Francisco%2C+CA: 15 degrees"} {
		file := strings.Replace(entries[i], "https://weather.example.com", s.URL, 1)
		tl := documented(t, file, sb)
		want(t, tl, in, wanted, false)
		want(t, tl, `{"place": "Oslo"}`, "invalid input for tool 'get_weather': location: required; place: unknown field", true)
	}
	want(t, documented(t, entries[0], sb), `{"location": "Atlantis", "unit": "celsius"}`, "There is no station there.\nexit code: 1", true)
}

// documented makes the tool of a file whose commands must run in the right place.
func documented(t *testing.T, file string, sb sandbox.Sandbox) tool.Tool {
	t.Helper()
	set, err := custom.Parse("docs/tools.md", []byte(file), custom.Config{Env: func(name string) string {
		return map[string]string{"WEATHER_KEY": "the-key-of-the-weather"}[name]
	}})
	if err != nil {
		t.Fatal(err)
	}
	inside, outside := sb, sandbox.Sandbox(host.New(host.Config{Home: "/nonexistent"}))
	if len(set.OnHost()) > 0 {
		inside, outside = outside, inside
	}
	tools, err := set.Tools(inside, outside)
	if err != nil {
		t.Fatal(err)
	}
	if c, ok := tools[0].(interface{ Close() error }); ok {
		t.Cleanup(func() { _ = c.Close() })
	}
	return tools[0]
}

// TestDocumentedFunction: the Go code of the page is the compiled example's.
func TestDocumentedFunction(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	code := fences(t, "go")
	if len(code) != 1 || !strings.Contains(string(source), code[0]) {
		t.Errorf("the page and tool/example_test.go differ: %q", code)
	}
}
