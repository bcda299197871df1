package transcript

import (
	"fmt"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/plaintext"
)

// Found returns what is known of a task's outcome from outside the model: as
// long as nobody looked, that it is not verified.
func Found(t deskhand.Task) deskhand.Finding {
	if t.Finding == "" {
		return deskhand.NotVerified
	}
	return t.Finding
}

// findings is how people read a finding: the sign before it and its words.
var findings = map[deskhand.Finding][2]string{
	deskhand.Verified:    {"✓", "verified"},
	deskhand.NotVerified: {"?", "not verified"},
	deskhand.Refuted:     {"✗", "failed"},
}

// FindingWords returns a finding as people read it: "verified", "not verified" or "failed".
func FindingWords(f deskhand.Finding) string {
	if w, ok := findings[f]; ok {
		return w[1]
	}
	return findings[deskhand.NotVerified][1]
}

// CheckedText returns one criterion that was looked at, in one line.
func CheckedText(c deskhand.Checked) string {
	w, ok := findings[c.Finding]
	if !ok {
		w = findings[deskhand.NotVerified]
	}
	return plaintext.Line(fmt.Sprintf("%s %s: %s. %s", w[0], c.Criterion, w[1], c.Evidence))
}
