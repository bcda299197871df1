package install

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestListIsSound(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, p := range Packages() {
		if p.When != ToRun && p.When != ToTest {
			t.Errorf("%s: %q is not run or test", p.Name, p.When)
		}
		if p.Only != "" && p.Only != "debian" && p.Only != "ubuntu" {
			t.Errorf("%s: %q is not a distribution", p.Name, p.Only)
		}
		if seen[p.Name] {
			t.Errorf("%s stands twice", p.Name)
		}
		seen[p.Name] = true
	}
	if !slices.Contains(Needed("debian"), "bubblewrap") || slices.Contains(Needed("ubuntu"), "chromium") {
		t.Error("the list was not read as it is meant")
	}
}

func TestDistribution(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"ID=debian\n":                             "debian",
		"NAME=x\nID=ubuntu\nID_LIKE=debian\n":     "ubuntu",
		"ID=linuxmint\nID_LIKE=\"ubuntu debian\"": "ubuntu",
		"ID=fedora\n":                             "",
		"":                                        "",
	} {
		if got := Distribution(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

func TestMissingOnThisMachine(t *testing.T) {
	t.Parallel()
	if Here() == "" {
		t.Fatal("this test needs Debian or Ubuntu")
	}
	got, err := Missing(t.Context(), []string{"dpkg", "no-such-package-anywhere", "libc6"})
	if err != nil || !slices.Equal(got, []string{"no-such-package-anywhere"}) {
		t.Errorf("missing: %q, %v", got, err)
	}
}

// TestSetupReadsTheSameList runs the shell's reading of the list against ours.
func TestSetupReadsTheSameList(t *testing.T) {
	t.Parallel()
	setup, err := os.ReadFile("../../scripts/setup")
	if err != nil {
		t.Fatal(err)
	}
	from, to := strings.Index(string(setup), "# wanted prints"), strings.Index(string(setup), "# missing prints")
	if from < 0 || to < from {
		t.Fatal("scripts/setup has no function wanted")
	}
	for _, dist := range []string{"debian", "ubuntu"} {
		script := "what=run list=packages.txt\n" + string(setup[from:to]) + "\nwanted " + dist
		out, err := exec.CommandContext(t.Context(), "sh", "-euc", script).Output()
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Fields(string(out)); !slices.Equal(got, Needed(dist)) {
			t.Errorf("%s: scripts/setup reads %q, this package %q", dist, got, Needed(dist))
		}
	}
}

func TestCommandsAreExact(t *testing.T) {
	t.Parallel()
	got := Commands([]string{"a", "b"}, false)
	if s := strings.Join(got[1], " "); s != "sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends a b" {
		t.Error(s)
	}
	if got := Commands([]string{"a"}, true); got[0][0] != "env" {
		t.Error(got)
	}
}
