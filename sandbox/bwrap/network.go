package bwrap

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/deskhand/deskhand/internal/inside"
)

// policies writes what browsers obey.
func (w *walls) policies(proxy string) {
	files := inside.Policies(proxy)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		dir := "/etc"
		for _, part := range strings.Split(strings.TrimPrefix(path.Dir(name), "/etc/"), "/") {
			dir = path.Join(dir, part)
			w.folders(dir)
		}
		w.file(name, string(files[name]))
	}
}
