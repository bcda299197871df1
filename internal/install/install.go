// Package install knows which packages of a distribution the program needs,
// which of them are missing, and how to install them.
//
// Trust: it reads this machine's own package database and os-release. The names
// it installs come from the list built in, never from outside.
package install

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

//go:embed packages.txt
var list string

// When says what a package is needed for.
type When string

// What a package is needed for.
const (
	ToRun  When = "run"
	ToTest When = "test"
)

// Package is one line of the list.
type Package struct {
	When When
	Name string
	Only string // "debian" or "ubuntu"; empty for both
}

// Packages returns the whole list.
func Packages() []Package {
	var all []Package
	for line := range strings.Lines(list) {
		f := strings.Fields(line)
		if len(f) < 2 || strings.HasPrefix(f[0], "#") {
			continue
		}
		p := Package{When: When(f[0]), Name: f[1]}
		if len(f) > 2 {
			p.Only = f[2]
		}
		all = append(all, p)
	}
	return all
}

// Needed returns the names needed to run on a distribution.
func Needed(distribution string) []string {
	var names []string
	for _, p := range Packages() {
		if p.When == ToRun && (p.Only == "" || p.Only == distribution) {
			names = append(names, p.Name)
		}
	}
	return names
}

// Distribution returns "debian" or "ubuntu" for those and for what is made from
// them, and "" for others. osRelease is the content of /etc/os-release.
func Distribution(osRelease string) string {
	fields := map[string]string{}
	lines := bufio.NewScanner(strings.NewReader(osRelease))
	for lines.Scan() {
		if name, value, ok := strings.Cut(lines.Text(), "="); ok {
			fields[name] = strings.Trim(value, `"'`)
		}
	}
	ids := append(strings.Fields(fields["ID"]), strings.Fields(fields["ID_LIKE"])...)
	for _, d := range []string{"ubuntu", "debian"} {
		if slices.Contains(ids, d) {
			return d
		}
	}
	return ""
}

// Here returns this machine's distribution, "" when it is not one of ours or
// has no apt-get.
func Here() string {
	data, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return ""
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return ""
	}
	return Distribution(string(data))
}

// Missing returns those of names that are not installed.
func Missing(ctx context.Context, names []string) ([]string, error) {
	cmd := exec.CommandContext(ctx, "dpkg-query", append([]string{"-W", "-f=${Package} ${db:Status-Status}\n"}, names...)...)
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) { // it exits with 1 when it does not know a name
		return nil, fmt.Errorf("the package database cannot be asked: %w", err)
	}
	installed := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		if name, status, ok := strings.Cut(strings.TrimSpace(line), " "); ok && status == "installed" {
			installed[name] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return installed[n] }), nil
}

// Commands returns what installs names: refresh the lists, then install. root
// says whether this process is root; else sudo is put before.
func Commands(names []string, root bool) [][]string {
	before := []string{"env", "DEBIAN_FRONTEND=noninteractive"}
	if !root {
		before = append([]string{"sudo"}, before...)
	}
	return [][]string{
		slices.Concat(before, []string{"apt-get", "update", "-q"}),
		slices.Concat(before, []string{"apt-get", "install", "-y", "-q", "--no-install-recommends"}, names),
	}
}
