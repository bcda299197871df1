package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/deskhand/deskhand/machine"
	"github.com/deskhand/deskhand/sandbox/oci"
)

// containerFile is in the state directory; docs/container.md has its form.
const containerFile = "container.json"

// container is the engine and the image of --sandbox oci.
func (a *app) container() (machine.Container, error) {
	var s struct {
		Engine []string `json:"engine"`
		Image  string   `json:"image"`
	}
	dir, err := a.homePath()
	if err != nil {
		return machine.Container{}, err
	}
	err = readSettings(filepath.Join(dir, containerFile), &s)
	return machine.Container{Engine: s.Engine, Image: s.Image}, err
}

// containerFinding tries a container with all its walls. Nobody needs one who
// uses bubblewrap.
func (a *app) containerFinding(ctx context.Context) finding {
	f := finding{Name: "container"}
	c, err := a.container()
	if err == nil {
		f.Detail, err = oci.Check(ctx, oci.Config{Engine: c.Engine, Image: c.Image, Environ: withoutKeys(os.Environ())})
	}
	if f.OK = err == nil; !f.OK {
		f.Detail, f.Mend = firstOf(err).Error(), "only --sandbox oci needs it; see docs/container.md"
	}
	return f
}
