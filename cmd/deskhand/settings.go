package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
)

// maxSettings is the largest file of settings, in bytes.
const maxSettings = 1 << 20

// readSettings reads a file of the state directory strictly into to, which stays
// as it is when there is none. A field that is misspelt is an error: a setting
// that is silently not there is worse than none.
func readSettings(path string, to any) error {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	data, err := readFile(path, maxSettings, "DESKHAND_HOME")
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(to); err != nil {
		return usage("%s cannot be read: %s", path, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return usage("%s cannot be read: there is more after its end", path)
	}
	return nil
}
