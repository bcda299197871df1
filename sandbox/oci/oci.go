// Package oci builds a sandbox with a container engine, docker or podman: the
// programs of an image instead of those of this machine, behind the engine's
// walls, with the guest as the first process inside.
//
// Trust: what runs inside is hostile. It runs as an unprivileged user without
// capabilities, cannot gain any, on a root that it cannot write, without a
// network but its own loopback, and makes no system call that programs in
// sandbox/bwrap may not make. It is never privileged and sees no socket of the
// engine. The engine and its image are trusted; the engine must run on this
// machine. See docs/decisions/0162-container-walls.md.
package oci

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/guestapi"
	"github.com/deskhand/deskhand/sandbox"
	"github.com/deskhand/deskhand/sandbox/remote"
)

// Places inside.
const (
	Home    = "/home/user"
	Runtime = "/run/user/1000"
	Logs    = "/run/deskhand/log"
	Binary  = "/run/deskhand/deskhand"
	hand    = "/run/deskhand/hand"
)

// DefaultImage is what "make image" makes.
const DefaultImage = "localhost/deskhand:latest"

// Config says what the sandbox is given. The zero value is usable by a binary
// that has a "guest" subcommand, where DefaultImage was made.
type Config struct {
	Engine  []string // docker or podman, with options of its own; default: the first that is installed of podman, docker
	Image   string   // default: DefaultImage. It is never fetched
	Binary  string   // the program that is the guest, called with Args; default: this program's own file
	Args    []string // its arguments; default: guest
	Home    string   // host directory that is the home inside, writable; it is made the inside user's; required
	Logs    string   // host directory for logs at Logs inside, writable; likewise; required
	Binds   []Bind   // further host directories and files, read-only; default: none
	Stack   any      // of the display stack, handed to the guest as JSON; default: no display
	Environ []string // the host's environment: what the engine needs of it, and TZ and the locale inside; default: none of it
	Env     []string // added to the environment inside, as NAME=value; default: none
	Limits  sandbox.Limits
	Mounts  bool      // let programs mount in namespaces of their own, as WebKit's inner walls do; default: refused
	Proxy   string    // HOST:PORT inside where programs will find a proxy; they are configured for it; default: none
	Log     io.Writer // gets what the guest and the engine say until Close returns; default: nowhere
	Dir     string    // where files for the container are made; default: os.TempDir()

	StartLimit time.Duration // default: 1 minute, for an engine that is busy
	StopLimit  time.Duration // default: see remote.LaunchConfig
}

// Bind is a host file or directory that is visible inside, read-only.
type Bind struct{ Host, Inside string }

// Sandbox is a running sandbox.
type Sandbox struct{ *remote.Sandbox }

var _ sandbox.Sandbox = (*Sandbox)(nil)

// present are the walls that every sandbox of this package has.
var present = []string{"mount", "pid", "ipc", "uts", "network", "syscalls", "memory", "processes"}

// Start builds the walls and returns when the guest inside answers.
//
// Invalid: the configuration is wrong. Unavailable: there is no engine or no
// image, or the engine refuses; the text says what to do.
func Start(ctx context.Context, c Config) (*Sandbox, error) {
	const op = "sandbox: start"
	c, err := c.withDefaults()
	if err != nil {
		return nil, deskhand.E(op, "", err)
	}
	e, err := c.engine()
	if err != nil {
		return nil, deskhand.E(op, "", err)
	}
	p, err := prepare(c)
	if err != nil {
		return nil, deskhand.Errorf(op, deskhand.Unavailable, "the container's own files cannot be made: %w", err)
	}
	token := rand.Text()
	settings := struct {
		Token  string          `json:"token"`
		Home   string          `json:"home"`
		Limits guestapi.Limits `json:"limits"`
		Stack  any             `json:"stack,omitempty"`
	}{token, Home, guestapi.Limits{FileSize: uint64(c.Limits.FileSize), Files: uint64(c.Limits.Files)}, c.Stack}
	name := "deskhand-" + strings.ToLower(rand.Text())
	walls := sandbox.Walls{Driver: "oci", Present: slices.Clone(present), Missing: []string{"user"}}
	if e.rootless {
		walls.Present, walls.Missing = append(walls.Present, "user"), []string{}
	}
	s, err := remote.Launch(ctx, remote.LaunchConfig{
		Argv: slices.Concat(e.argv, c.options(e, p, name), []string{c.Image, Binary}, c.Args, []string{guestapi.FromArg, hand + "/" + remote.HandSocket}),
		Env:  e.env, Guest: settings, Token: token, Hand: p.hand, Walls: walls, Group: &container{engine: e, name: name, files: p},
		Dir: c.Dir, Log: c.Log, Explain: explain, StartLimit: c.StartLimit, StopLimit: c.StopLimit,
	})
	if err != nil {
		return nil, err
	}
	return &Sandbox{s}, nil
}

func (c Config) withDefaults() (Config, error) {
	if c.Binary == "" {
		exe, err := os.Executable()
		if err != nil {
			return c, deskhand.Errorf("", deskhand.Internal, "this program's own file cannot be found: %w", err)
		}
		c.Binary = exe
	}
	if c.Image == "" {
		c.Image = DefaultImage
	}
	if c.Args == nil {
		c.Args = []string{"guest"}
	}
	if c.StartLimit == 0 {
		c.StartLimit = time.Minute
	}
	var err error
	if c.Limits, err = c.Limits.WithDefaults(); err != nil {
		return c, err
	}
	if strings.HasPrefix(c.Image, "-") {
		return c, deskhand.Errorf("", deskhand.Invalid, "%q is not the name of an image", c.Image)
	}
	for _, b := range append([]Bind{{c.Home, Home}, {c.Logs, Logs}, {c.Binary, Binary}}, c.Binds...) {
		if !filepath.IsAbs(b.Host) || !filepath.IsAbs(b.Inside) || strings.ContainsAny(b.Host+b.Inside, ",\"\n") {
			return c, deskhand.Errorf("", deskhand.Invalid, "%q cannot be shared as %q: both need absolute paths without commas and quotes", b.Host, b.Inside)
		}
		if _, err := os.Stat(b.Host); err != nil {
			return c, deskhand.Errorf("", deskhand.Invalid, "%q cannot be shared: %w", b.Host, errors.Unwrap(err))
		}
	}
	return c, nil
}
