package oci

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/deskhand/deskhand"
)

// label is on every container, so that people find those of deskhand.
const label = "deskhand=desktop"

// Engines are the container engines that are known, the first one preferred.
func Engines() []string { return []string{"podman", "docker"} }

// engine is how a container engine is called.
type engine struct {
	argv     []string // program and its own options
	extra    []string // of run, which only this engine has
	env      []string
	rootless bool
}

func (c Config) engine() (engine, error) {
	want := c.Engine
	if len(want) == 0 {
		for _, name := range Engines() {
			if _, err := exec.LookPath(name); err == nil {
				want = []string{name}
				break
			}
		}
	}
	if len(want) == 0 {
		return engine{}, deskhand.Errorf("", deskhand.Unavailable, "neither podman nor docker is installed; install one (Debian, Ubuntu: apt install podman), or leave out --sandbox to use bubblewrap")
	}
	program, err := exec.LookPath(want[0])
	if err != nil {
		return engine{}, deskhand.Errorf("", deskhand.Unavailable, "the container engine %q is not installed", want[0])
	}
	e := engine{argv: append([]string{program}, want[1:]...), env: environ(c.Environ)}
	if filepath.Base(want[0]) != "podman" {
		return e, nil
	}
	e.extra = []string{"--read-only-tmpfs=false"} // every place that can be written is named here
	if os.Getuid() != 0 {
		// The same user inside as outside, so that the home is this user's.
		e.extra, e.rootless = append(e.extra, "--userns", "keep-id"), true
	}
	return e, nil
}

// needed are the variables that engines read; keys are not among them.
var needed = []string{
	"PATH", "HOME", "USER", "LANG", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "DBUS_SESSION_BUS_ADDRESS",
	"DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH",
	"CONTAINER_HOST", "CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF", "CONTAINERS_REGISTRIES_CONF",
}

func environ(all []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return !slices.Contains(needed, name)
	})
}

// endLimit bounds each word with the engine at the end.
const endLimit = 30 * time.Second

// container is what is left to end when the engine's program has ended, however.
type container struct {
	engine engine
	name   string
	files  *prepared
}

// Kills implements remote.Group. Engines do not say how many there were.
func (*container) Kills() (int, error) { return 0, nil }

// Close removes the container, with everything in it, and its files.
func (c *container) Close() error {
	ctx, cancel := context.WithTimeoutCause(context.Background(), endLimit, fmt.Errorf("the container engine did not end %s within %s", c.name, endLimit))
	defer cancel()
	out, err := c.engine.say(ctx, "rm", "--force", c.name)
	if err != nil && (strings.Contains(out, "o such container") || strings.Contains(out, "no container with")) {
		err = nil
	}
	if err != nil {
		return deskhand.Errorf("sandbox: close", deskhand.Unavailable, "the container %s may still run: %w (%s)", c.name, err, lastLine(out))
	}
	return os.RemoveAll(c.files.dir)
}

// say runs a command of the engine and returns all that it printed.
func (e engine) say(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, e.argv[0], slices.Concat(e.argv[1:], args)...)
	cmd.Env = e.env
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		err = errors.Join(context.Cause(ctx), err)
	}
	return string(out), err
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}
