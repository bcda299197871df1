package oci

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/deskhand/deskhand/internal/inside"
)

// Shares of Limits.Memory that places in memory may hold.
const (
	shmShare     = 8
	runtimeShare = 32
)

// options are the walls in the words that docker and podman share.
func (c Config) options(e engine, p *prepared, name string) []string {
	args := []string{
		"run", "--interactive", "--rm", "--name", name, "--label", label, "--hostname", "desk", "--pull", "never", "--log-driver", "none",
		"--network", "none", "--ipc", "private", "--cgroupns", "private",
		"--user", p.user, "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--security-opt", "seccomp=" + p.seccomp, "--read-only",
		"--memory", strconv.FormatInt(c.Limits.Memory, 10), "--memory-swap", strconv.FormatInt(c.Limits.Memory, 10),
		"--pids-limit", strconv.Itoa(c.Limits.Processes), "--cpu-shares", strconv.Itoa(c.Limits.Weight * 1024 / 100),
		"--shm-size", strconv.FormatInt(c.Limits.Memory/shmShare, 10), "--workdir", Home, "--entrypoint", "",
	}
	args = append(args, ulimits(uint64(c.Limits.Files))...)
	args = append(args, e.extra...)
	for _, t := range []struct {
		path, mode string
		size       int64
	}{
		{"/tmp", "1777", c.Limits.Scratch}, {"/var/tmp", "1777", c.Limits.Scratch}, {Runtime, "0777", c.Limits.Memory / runtimeShare},
		// An X server that is not root does not make the places of its sockets.
		{"/tmp/.X11-unix", "1777", 1 << 20}, {"/tmp/.ICE-unix", "1777", 1 << 20},
	} {
		args = append(args, "--tmpfs", fmt.Sprintf("%s:rw,nosuid,nodev,exec,size=%d,mode=%s", t.path, max(t.size, 1<<20), t.mode))
	}
	for _, v := range slices.Concat(c.environment(), inside.ProxyEnv(c.Proxy), c.Env) {
		args = append(args, "--env", v)
	}
	for _, m := range p.mounts {
		spec := "type=bind,source=" + m.Host + ",target=" + m.Inside
		if !m.write {
			spec += ",readonly"
		}
		args = append(args, "--mount", spec)
	}
	return args
}

// userProcesses bounds the processes of the inside user on the whole machine.
// What bounds a container is --pids-limit; but without a number engines take their
// own, which can be more than they may set.
const userProcesses = 32768

// ulimits never ask for more than this process has, which an engine without
// CAP_SYS_RESOURCE cannot give.
func ulimits(files uint64) []string {
	var args []string
	for _, l := range []struct {
		name string
		kind int
		want uint64
	}{{"nofile", unix.RLIMIT_NOFILE, files}, {"nproc", unix.RLIMIT_NPROC, userProcesses}, {"core", unix.RLIMIT_CORE, 0}} {
		var now unix.Rlimit
		if err := unix.Getrlimit(l.kind, &now); err != nil {
			continue
		}
		n := min(now.Max, l.want)
		args = append(args, "--ulimit", fmt.Sprintf("%s=%d:%d", l.name, n, n))
	}
	return args
}

// environment is what programs inside find, besides what the image sets.
func (c Config) environment() []string {
	vars := []string{
		"PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/games:/usr/games:/run/deskhand",
		"HOME=" + Home, "USER=user", "LOGNAME=user", "SHELL=/bin/bash", "LANG=C.UTF-8",
		"XDG_RUNTIME_DIR=" + Runtime, "XDG_DATA_DIRS=/usr/local/share:/usr/share", "XDG_CONFIG_DIRS=/etc/xdg",
	}
	for _, v := range c.Environ {
		name, val, _ := strings.Cut(v, "=")
		if (name == "TZ" || name == "TERM") && plain(val) {
			vars = append(vars, v)
		}
	}
	return vars
}

// plain reports whether v is a short word without anything that could mean more
// than a name.
func plain(v string) bool {
	return v != "" && len(v) < 64 && strings.Trim(v, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-_./:,") == "" && !strings.Contains(v, "..")
}
