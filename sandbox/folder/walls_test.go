package folder_test

import (
	"slices"
	"testing"
)

// TestWalls lists what is mounted over.
func TestWalls(t *testing.T) {
	t.Parallel()
	both(t, map[string]string{
		".git/hooks/pre-commit": "", ".git/config": "", ".git/HEAD": "", "a/b/c/d/e/f/.git/config": "", ".bashrc": "", "x/.config/autostart/y": "",
		"bare/HEAD": "", "bare/objects/o": "", "bare/refs/r": "", "bare/config": "", "plain/config": "",
	}, func(t *testing.T, p *place) {
		got, err := p.layer.Walls([]string{".bashrc"})
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(got)
		p.want("walls", got, []string{".git/config", ".git/hooks", "a/b/c/d/e/f/.git/config", "bare/config", "x/.config/autostart"})
		p.task("rm -rf .git; ln -s ../O .git; mkdir -p x/.config; rm -r a")
		got, err = p.layer.Walls([]string{".bashrc"})
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(got)
		p.want("walls over links", got, []string{"bare/config", "x/.config/autostart"})
	})
}
