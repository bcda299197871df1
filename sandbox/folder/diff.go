package folder

import (
	"bytes"
	"io"
	"path/filepath"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/deskhand/deskhand"
)

// maxDiff is how large a file may be of which lines are compared.
const maxDiff = 256 << 10 // bytes

// Diff returns how the text of a file changed, in unified form, hostile bytes
// and all; empty where it is no text or too long. Unavailable.
func (l *Layer) Diff(c Change) (string, error) {
	if c.Type != 0 || c.Size > maxDiff || c.OldSize > maxDiff || c.Kind == deskhand.Moved {
		return "", nil
	}
	lower, err := l.lower()
	if err != nil {
		return "", err
	}
	defer lower.close()
	upper, err := openTree(filepath.Join(l.dir, upperDir))
	if err != nil {
		return "", deskhand.E("", deskhand.Unavailable, err)
	}
	defer upper.close()
	var before, after []byte
	if c.Kind != deskhand.Added {
		before, err = textAt(lower, c.Path)
	}
	if err == nil && c.Kind != deskhand.Deleted {
		after, err = textAt(upper, c.Path)
	}
	if err != nil {
		return "", deskhand.Errorf("", deskhand.Unavailable, "%q cannot be compared: %w", c.Path, err)
	}
	if !isText(before) || !isText(after) || bytes.Equal(before, after) {
		return "", nil
	}
	return string(diff.Diff("before", before, "after", after)), nil
}

func textAt(t *tree, rel string) ([]byte, error) {
	f, _, err := openRegular(t.fd, rel)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxDiff))
}

func isText(data []byte) bool { return utf8.Valid(data) && bytes.IndexByte(data, 0) < 0 }
