package machine

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/deskhand/deskhand/guest/stack"
	"github.com/deskhand/deskhand/sandbox"
	"github.com/deskhand/deskhand/sandbox/bwrap"
	"github.com/deskhand/deskhand/sandbox/oci"
	"github.com/deskhand/deskhand/sandbox/remote"
)

// defaultPath is where programs are looked for without walls.
const defaultPath = "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games:/usr/local/sbin:/usr/sbin:/sbin"

// startWalled starts the guest inside walls of bubblewrap.
func startWalled(ctx context.Context, c Config, d *directories, log io.Writer) (*remote.Sandbox, error) {
	proxy := ""
	if c.Network != nil {
		proxy = proxyAddress
	}
	s, err := bwrap.Start(ctx, bwrap.Config{
		Proxy:  proxy,
		Binary: c.Binary, Args: c.Args, Home: d.home, Logs: d.logs, Binds: c.Binds, Layers: c.Layers, Mirrors: c.Mirrors, Environ: c.environ(), Log: log, StopLimit: endLimit,
		Stack:  c.stack(bwrap.Home, bwrap.Runtime, bwrap.Logs),
		Mounts: stack.BrowserMounts(filepath.SplitList(defaultPath)),
	})
	if err != nil {
		return nil, err
	}
	return s.Sandbox, nil
}

// startContained starts the guest in a container.
func startContained(ctx context.Context, c Config, d *directories, log io.Writer) (*remote.Sandbox, error) {
	proxy := ""
	if c.Network != nil {
		proxy = proxyAddress
	}
	s, err := oci.Start(ctx, oci.Config{
		Engine: c.Container.Engine, Image: c.Container.Image, Proxy: proxy,
		Binary: c.Binary, Args: c.Args, Home: d.home, Logs: d.logs, Environ: c.environ(), Log: log, StopLimit: endLimit,
		Stack: c.stack(oci.Home, oci.Runtime, oci.Logs),
	})
	if err != nil {
		return nil, err
	}
	return s.Sandbox, nil
}

// startOpen starts the guest as a child without walls, with a home and a
// runtime directory of its own.
func startOpen(ctx context.Context, c Config, d *directories, log io.Writer) (*remote.Sandbox, error) {
	env := []string{"PATH=" + defaultPath, "HOME=" + d.home, "XDG_RUNTIME_DIR=" + d.runtime, "SHELL=/bin/bash", "LANG=" + c.locale()}
	for _, name := range []string{"TZ", "TERM", "USER", "LOGNAME"} {
		if v := value(c.Environ, name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	settings := struct {
		Home  string       `json:"home"`
		Stack stack.Config `json:"stack"`
	}{d.home, c.stack(d.home, d.runtime, d.logs)}
	return remote.Launch(ctx, remote.LaunchConfig{
		Argv: append([]string{c.Binary}, c.Args...), Env: env, Guest: settings, Log: log, StopLimit: endLimit,
		Walls: sandbox.Walls{Driver: string(None), Present: []string{}, Missing: []string{"user", "mount", "pid", "ipc", "uts", "network", "syscalls"}},
	})
}

// stack is what the guest is told about the display.
func (c Config) stack(home, runtime, logs string) stack.Config {
	return stack.Config{Size: c.Screen, Scale: c.Scale, Home: home, RuntimeDir: runtime, LogDir: logs, Locale: c.locale()}
}

// environ is the host's environment with the locale that was chosen.
func (c Config) environ() []string {
	if c.Locale == "" {
		return c.Environ
	}
	return append(slices.Clone(c.Environ), "LC_ALL="+c.Locale)
}

// locale is the one that was chosen, else the host's, else C.UTF-8.
func (c Config) locale() string {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := value(c.environ(), name); v != "" && strings.Contains(strings.ToLower(v), "utf") {
			return v
		}
	}
	return "C.UTF-8"
}

func value(env []string, name string) string {
	for _, e := range slices.Backward(env) {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			return v
		}
	}
	return ""
}

// openLog opens the guest's own log. The directory was writable inside when an
// earlier computer used it, so a link there may lead anywhere.
func openLog(d *directories) (*os.File, error) {
	return os.OpenFile(logPath(d), os.O_CREATE|os.O_APPEND|os.O_WRONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
}
