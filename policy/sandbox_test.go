package policy

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// inBox runs lines in a throw-away sandbox without a network, one after the
// other in fresh shells, and returns which of them changed a file of dir.
func inBox(t *testing.T, lines []string) (changed []string) {
	t.Helper()
	bwrap, err := exec.LookPath("bwrap")
	if err != nil {
		t.Skip("bubblewrap is not installed, and nothing is run without it")
	}
	for _, line := range lines {
		dir := t.TempDir()
		seed(t, dir)
		before := fingerprint(t, dir)
		ctx, cancel := context.WithTimeout(t.Context(), boxLimit)
		args := []string{"--unshare-all", "--die-with-parent", "--new-session", "--ro-bind", "/usr", "/usr", "--ro-bind", "/etc", "/etc",
			"--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64", "--proc", "/proc", "--dev", "/dev",
			"--bind", dir, "/w", "--tmpfs", "/tmp", "--chdir", "/w", "--clearenv", "--setenv", "HOME", "/w", "--setenv", "PATH", "/usr/bin:/bin",
			"timeout", "-s", "KILL", "2", "bash", "--norc", "-c", line}
		cmd := exec.CommandContext(ctx, bwrap, args...)
		_ = cmd.Run() // most lines fail: what counts is what is left behind
		cancel()
		if fingerprint(t, dir) != before {
			changed = append(changed, line)
		}
	}
	return changed
}

const boxLimit = 30 * time.Second

func seed(t *testing.T, dir string) {
	t.Helper()
	for name, text := range map[string]string{"f": "b\na\n", "x": "touch pwned\n", "a": "1\n", "b": "2\n", "-delete": "", "-o": "", "f2": "w pwned\n", "d/y": "z\n"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// fingerprint hashes the names, modes and contents below dir.
func fingerprint(t *testing.T, dir string) [32]byte {
	t.Helper()
	h := sha256.New()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(h, "%s %s %d\n", path, info.Mode(), info.Size())
		if info.Mode().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			_, _ = h.Write(data)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return [32]byte(h.Sum(nil))
}

// TestHarmlessChangesNothing runs a sample of what is classed harmless, from the
// corpus and mixed from its pieces at random: no file may change. First the
// attack without its guard: commands that are not harmless do change files.
func TestHarmlessChangesNothing(t *testing.T) {
	t.Parallel()
	attacks := []string{"rm f", "sort -o f f", "find . -name f -delete", "sed -i s/a/b/ f", "echo $(touch pwned)", "sort f -o g", "find . -fprint pwned",
		"sed 'w pwned' f", "awk '{print > \"pwned\"}' f", "uniq f pwned", "cat x | sh", "xxd f pwned", "x='a[$(touch pwned)]'; echo $((x))", "ls > pwned", "sort *"}
	for _, line := range attacks {
		if classOf(line) == Looks {
			t.Errorf("%q is classed harmless", line)
		}
	}
	if n := len(inBox(t, attacks)); n < len(attacks)-3 { // some programs may not be installed
		t.Fatalf("only %d of %d commands that change files did so: the box measures nothing", n, len(attacks))
	}
	lines := sample(t, 60)
	for _, line := range inBox(t, lines) {
		t.Errorf("%q is classed harmless and changed a file", line)
	}
}

// sample returns n lines that are classed harmless, a third of them from the
// corpus, the rest mixed.
func sample(t *testing.T, n int) (out []string) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	var pieces, programs, whole []string
	for _, c := range corpus(t, "shell.txt") {
		if strings.Contains(c.text, "sleep") || strings.Contains(c.text, "tail -f") {
			continue
		}
		words := strings.Fields(c.text)
		programs = append(programs, words[0])
		pieces = append(pieces, words[1:]...)
		if c.label == "harmless" {
			whole = append(whole, c.text)
		}
	}
	for tries := 0; len(out) < n && tries < 200_000; tries++ {
		line := whole[r.IntN(len(whole))]
		if len(out) >= n/3 {
			line = programs[r.IntN(len(programs))]
			for range 1 + r.IntN(4) {
				line += " " + pieces[r.IntN(len(pieces))]
			}
		}
		if classOf(line) == Looks {
			out = append(out, line)
		}
	}
	return out
}
