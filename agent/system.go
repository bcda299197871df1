package agent

import (
	_ "embed"
	"strings"
)

// SystemVersion numbers the text of the system prompt. Tasks keep the text they
// were started with.
const SystemVersion = 2

//go:embed system.md
var system string

// System returns the system prompt, followed by extra when there is any.
func System(extra string) string {
	s := strings.TrimSpace(system)
	if extra = strings.TrimSpace(extra); extra != "" {
		s += "\n\n" + extra
	}
	return s
}
