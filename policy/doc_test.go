package policy

import (
	"os"
	"strings"
	"testing"

	"github.com/deskhand/deskhand"
)

// TestDocumentedModes holds the table in docs/policy.md to the one that decides.
func TestDocumentedModes(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[Class][]string{}
	for line := range strings.SplitSeq(string(data), "\n") {
		if cells := strings.Split(strings.Trim(line, "| "), " | "); len(cells) == 7 {
			for class := range strings.SplitSeq(cells[0], ", ") {
				documented[Class(class)] = cells[2:]
			}
		}
	}
	for _, r := range rows {
		got := documented[r.class]
		want := []deskhand.Outcome{r.ask, r.plan, r.auto, r.trust, r.planned}
		if len(got) != len(want) {
			t.Errorf("%s is not documented", r.class)
			continue
		}
		for i, o := range want {
			if got[i] != string(o) {
				t.Errorf("%s, column %d: documented as %s, is %s", r.class, i, got[i], o)
			}
		}
	}
}
