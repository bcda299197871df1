package oci

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// signs lists what engines say when they cannot start a container, and what to
// do. The first match counts.
var signs = []struct{ says, mend string }{
	{"image not known", noImage},
	{"No such image", noImage},
	{"Unable to find image", noImage},
	{"Cannot connect to the Docker daemon", "the docker daemon does not run, or this user may not speak to it; start it (sudo systemctl start docker), join the group docker, or use podman"},
	{"permission denied while trying to connect to the Docker daemon", "this user may not speak to the docker daemon; join the group docker, or use podman"},
	{"cgroups in hybrid mode not supported", "podman's runtime crun does not know this machine's mixed control groups; install runc, and name it in container.json: {\"engine\": [\"podman\", \"--runtime\", \"runc\"]}"},
	{"RLIMIT_", "the engine may not set the limits of a process; raise those of this user (ulimit -H), or start deskhand as a service with LimitNOFILE=infinity"},
	{"cannot set memory", noGroups},
	{"controller", noGroups},
	{"newuidmap", "podman needs ranges of user ids; install uidmap and give this user some (sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER)"},
}

const (
	noImage  = "the image is not there; build it with \"make image\", or name yours in container.json: {\"image\": \"…\"}"
	noGroups = "this user may not bound memory and processes of a container; let systemd delegate control groups to users (Delegate=yes for user@.service), or use the sandbox bwrap"
)

// explain turns what the engine said into a sentence.
func explain(stderr string, ended error) error {
	for _, sign := range signs {
		if strings.Contains(stderr, sign.says) {
			return fmt.Errorf("the container does not start: %s", sign.mend)
		}
	}
	if stderr == "" {
		return fmt.Errorf("the container ended (%w)", ended)
	}
	return fmt.Errorf("the container ended (%w); the last that was said was %q", ended, lastLine(stderr))
}

// checkLimit bounds the trial of Check.
const checkLimit = 2 * time.Minute

// Check starts a container of the image with all the walls and ends it again. It
// returns how that went: what was started, or an error that says what to do.
func Check(ctx context.Context, c Config) (string, error) {
	dir, err := os.MkdirTemp(c.Dir, "deskhand-oci-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	c.Home, c.Logs = dir+"/home", dir+"/log"
	if err := errors.Join(os.Mkdir(c.Home, 0o700), os.Mkdir(c.Logs, 0o700)); err != nil {
		return "", err
	}
	e, err := c.engine()
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, checkLimit, errors.New("the trial of a container took too long"))
	defer cancel()
	start := time.Now()
	s, err := Start(ctx, c)
	if err != nil {
		return "", err
	}
	took := time.Since(start)
	if c.Image == "" {
		c.Image = DefaultImage
	}
	return fmt.Sprintf("%s starts %s in %.1f s", e.argv[0], c.Image, took.Seconds()), s.Close()
}
