package script

import (
	"os"
	"strings"
	"testing"
)

// TestDocumentedExample keeps the example of docs/scripts.md true.
func TestDocumentedExample(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/scripts.md")
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(page), "```")
	if len(parts) != 3 {
		t.Fatalf("%d fences, want one example", len(parts)-1)
	}
	s, err := Parse("docs/scripts.md", []byte(strings.TrimPrefix(parts[1], "\n")))
	if err != nil {
		t.Fatal(err)
	}
	if len(s.steps) != 4 || len(s.steps[1].whens) != 1 || len(s.steps[3].expects) != 1 {
		t.Errorf("the example reads as %+v", s.steps)
	}
}
