package bash_test

import (
	"encoding/json"
	"testing"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/tool"
	"github.com/deskhand/deskhand/tool/bash"
)

var _ tool.Pinner = (*bash.Bash)(nil)

// TestPin: a script that is swapped, appears or is made another kind of file
// between a question and its answer is another one; what the command does not
// name does not count, and nothing moves.
func TestPin(t *testing.T) {
	t.Parallel()
	each(t, bash.Config{}, func(t *testing.T, s *shell) {
		pin := func(command string) deskhand.Hash {
			t.Helper()
			in, err := json.Marshal(map[string]string{"command": command})
			if err != nil {
				t.Fatal(err)
			}
			h, err := s.b.Pin(t.Context(), deskhand.Call{Name: "bash", Input: in})
			if err != nil || !h.Valid() {
				t.Fatalf("%s: %q, %v", command, h, err)
			}
			return h
		}
		s.run(`mkdir -p work && cd work && echo 'echo good' > b.sh && echo other > other`)
		for name, c := range map[string]struct {
			command, change string
			same            bool
		}{
			"nothing happens":           {"sh b.sh", "true", true},
			"another file changes":      {"sh b.sh", "echo more >> other", true},
			"the script is swapped":     {"sh ./b.sh", "echo 'echo bad' > b.sh", false},
			"by its whole name":         {"sh " + s.dir + "/work/b.sh", "echo 'echo worse' > b.sh", false},
			"in quotes":                 {`sh "b.sh"`, "echo 'echo the worst' > b.sh", false},
			"it may be executed now":    {"./b.sh", "chmod +x b.sh", false},
			"it is moved away":          {"sh b.sh", "mv b.sh c.sh", false},
			"a file of that name comes": {"make all", "echo x > make", false},
		} {
			s.run(`cd ` + s.dir + `/work; rm -f c.sh make; echo 'echo good' > b.sh; chmod 644 b.sh`)
			before := pin(c.command)
			s.run(c.change)
			if after := pin(c.command); (after == before) != c.same {
				t.Errorf("%s: the pin is the same: %v, want %v", name, after == before, c.same)
			}
		}
	})
}
