package bwrap

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// missing says that bubblewrap is not there.
const missing = "bubblewrap is not installed, and without it there are no walls; install it (Debian, Ubuntu: apt install bubblewrap; Fedora: dnf install bubblewrap; Arch: pacman -S bubblewrap)"

const (
	apparmor     = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"
	usernsClone  = "/proc/sys/kernel/unprivileged_userns_clone"
	usernsMost   = "/proc/sys/user/max_user_namespaces"
	apparmorMend = `Ubuntu's AppArmor forbids user namespaces to programs without a profile; give bwrap one: write "abi <abi/4.0>, include <tunables/global> profile bwrap /usr/bin/bwrap flags=(unconfined) { userns, }" to /etc/apparmor.d/bwrap and run "sudo systemctl reload apparmor"`
)

// signs lists what bubblewrap says when a wall cannot be built, which wall it
// is and what to do. The first match counts.
var signs = []struct{ says, wall, mend string }{
	{"No permissions to creat", "user namespace", "this kernel forbids user namespaces to normal users; allow them with \"sudo sysctl -w kernel.unprivileged_userns_clone=1\", or inside a container start it with user namespaces allowed"},
	{"max_*_namespaces exceeded", "user namespace", "the limit of user namespaces is reached; raise it with \"sudo sysctl -w user.max_user_namespaces=15000\", and do not nest sandboxes deeper than the kernel allows (32)"},
	{"Creating new namespace failed: Operation not permitted", "user namespace", "namespaces are forbidden here, as in most containers; start the container with user namespaces allowed (docker: --security-opt seccomp=unconfined --security-opt apparmor=unconfined)"},
	{"Creating new namespace failed", "user namespace", "this kernel cannot make the namespaces; it needs CONFIG_USER_NS, CONFIG_PID_NS, CONFIG_NET_NS, CONFIG_IPC_NS and CONFIG_UTS_NS"},
	{"setting up uid map", "user namespace", apparmorMend},
	{"loopback: Failed", "network namespace", apparmorMend},
	{"Can't mount proc", "PID namespace", "a new /proc cannot be mounted, as in a container whose own /proc is masked; start the container with it unmasked (docker: --security-opt systempaths=unconfined)"},
	{"Failed to make / slave", "mount namespace", apparmorMend},
	{"Unexpected capabilities but not setuid", "capabilities", "bwrap has capabilities of a kind it does not expect; reinstall it without file capabilities (\"sudo setcap -r /usr/bin/bwrap\") or drop this process's ambient ones"},
	{"setuid", "user namespace", "bwrap is installed setuid in a way that does not work here; remove the bit (\"sudo chmod u-s /usr/bin/bwrap\") or reinstall it"},
	{"Permission denied", "mount namespace", "this user may not read something that the sandbox is given"},
}

// explain turns what bubblewrap said into a sentence that names the wall.
func explain(stderr string, ended error) error {
	last := "nothing"
	if lines := strings.Split(strings.TrimSpace(stderr), "\n"); lines[0] != "" {
		last = fmt.Sprintf("%q", lines[len(lines)-1])
	}
	for _, line := range strings.Split(stderr, "\n") {
		said, ok := strings.CutPrefix(line, "bwrap: ")
		if !ok {
			continue
		}
		for _, sign := range signs {
			if strings.Contains(said, sign.says) {
				return fmt.Errorf("the %s cannot be built (bubblewrap: %q): %s", sign.wall, said, sign.mend)
			}
		}
		return fmt.Errorf("the sandbox cannot be built: bubblewrap says %q", said)
	}
	return fmt.Errorf("the sandbox ended (%v); the last it said was %s", ended, last)
}

// Problem is one thing that keeps sandboxes from starting.
type Problem struct {
	What string // one sentence
	Mend string // what to do, one sentence
	Apt  string // the Debian package that mends it; empty when none does
}

// checkLimit bounds the trial.
const checkLimit = 10 * time.Second

// Check returns what keeps sandboxes from starting, nothing when all is well.
// It builds all the walls once, around /bin/true.
func Check(ctx context.Context) []Problem {
	program, err := exec.LookPath("bwrap")
	if err != nil {
		return []Problem{{What: "bubblewrap is not installed", Mend: "install the package bubblewrap", Apt: "bubblewrap"}}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, checkLimit, errors.New("the trial of bubblewrap took too long"))
	defer cancel()
	w := &walls{}
	w.add("--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try",
		"--uid", "1000", "--gid", "1000", "--cap-drop", "ALL", "--new-session", "--die-with-parent")
	w.system()
	w.add("--proc", "/proc", "--dev", "/dev", "--", "/usr/bin/true")
	var said strings.Builder
	trial := exec.CommandContext(ctx, program, w.args...)
	trial.Env, trial.Stderr = []string{}, &said
	if err := trial.Run(); err != nil {
		return append([]Problem{{What: "bubblewrap cannot build the walls", Mend: explain(said.String(), err).Error()}}, settings()...)
	}
	return nil
}

// settings names the kernel's switches that stand against user namespaces.
func settings() []Problem {
	var all []Problem
	for _, s := range []struct{ file, bad, what, mend string }{
		{apparmor, "1", "AppArmor restricts user namespaces (kernel.apparmor_restrict_unprivileged_userns=1)", apparmorMend},
		{usernsClone, "0", "user namespaces are switched off (kernel.unprivileged_userns_clone=0)", "sudo sysctl -w kernel.unprivileged_userns_clone=1"},
		{usernsMost, "0", "user namespaces are limited to none (user.max_user_namespaces=0)", "sudo sysctl -w user.max_user_namespaces=15000"},
	} {
		if data, err := os.ReadFile(s.file); err == nil && strings.TrimSpace(string(data)) == s.bad {
			all = append(all, Problem{What: s.what, Mend: s.mend})
		}
	}
	return all
}
