package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/deskhand/deskhand/model"
)

// modelsFile is in the state directory; docs/models.md has its form.
const (
	modelsFile = "models.json"
	maxModels  = 1 << 20 // bytes
)

// models returns the catalogue with the person's own rows on top.
func (a *app) models() (model.Catalogue, error) {
	dir, err := a.homePath()
	if err != nil {
		return model.Catalogue{}, err
	}
	path := filepath.Join(dir, modelsFile)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return model.Catalogue{}, nil
	}
	data, err := readFile(path, maxModels, "DESKHAND_HOME")
	if err != nil {
		return model.Catalogue{}, err
	}
	return model.Catalogue{}.Merge(path, data)
}
