package evidence

import (
	"context"
	"errors"
	"path"
	"regexp"
	"strings"

	"github.com/deskhand/deskhand"
)

// maxFile is how much of a file is looked at, in bytes.
const maxFile = 8 << 20

// fileWant is what a criterion wants of a file.
type fileWant struct {
	path    string
	pattern *regexp.Regexp
	hash    deskhand.Hash
}

// readFileWant reads /PATH, /PATH~PATTERN or /PATH=sha256:HASH. A path ends at the
// first "~", so that patterns may hold anything.
func readFileWant(want string) (fileWant, error) {
	w := fileWant{path: want}
	if before, pattern, ok := strings.Cut(want, "~"); ok {
		w.path = before
		var err error
		if w.pattern, err = regexp.Compile("(?m)" + pattern); err != nil {
			return w, errors.New("the pattern is not one that Go's regexp reads")
		}
	} else if before, hash, ok := strings.Cut(want, "=sha256:"); ok {
		w.path, w.hash = before, deskhand.Hash(strings.ToLower(hash))
		if !w.hash.Valid() {
			return w, errors.New("the hash is not 64 hexadecimal digits")
		}
	}
	if !path.IsAbs(w.path) || path.Clean(w.path) != w.path {
		return w, errors.New("the path is not absolute and plain")
	}
	return w, nil
}

func validFile(want string) error {
	_, err := readFileWant(want)
	return err
}

func lookAtFile(ctx context.Context, s *scene, want string) (found, error) {
	w, err := readFileWant(want)
	if err != nil {
		return found{}, err
	}
	if s.place.Sandbox == nil {
		return found{}, unavailable("there are no files to look at here")
	}
	info, err := s.place.Sandbox.Stat(ctx, w.path)
	switch {
	case deskhand.CodeOf(err) == deskhand.NotFound:
		return refuted("%s does not exist.", w.path)
	case err != nil:
		return found{}, err
	case w.pattern == nil && w.hash == "":
		if info.Mode.IsDir() {
			return verified("%s exists and is a folder.", w.path)
		}
		return verified("%s exists and has %d bytes.", w.path, info.Size)
	case !info.Mode.IsRegular():
		return refuted("%s is not a file.", w.path)
	case info.Size > maxFile:
		return found{}, unavailable("%s has more than %d MB", w.path, maxFile>>20)
	}
	data, _, err := s.place.Sandbox.ReadFile(ctx, w.path, 0, maxFile)
	if err != nil {
		return found{}, err
	}
	if w.hash != "" {
		if got := deskhand.HashOf(data); got != w.hash {
			return refuted("%s has %d bytes with the hash %s. It begins with %s.", w.path, len(data), got, quote(string(data[:min(len(data), maxQuote)])))
		}
		return verified("%s has exactly the %d bytes expected.", w.path, len(data))
	}
	at := w.pattern.FindIndex(data)
	if at == nil {
		return refuted("%s has %d bytes and nothing in it matches. It begins with %s.", w.path, len(data), quote(string(data[:min(len(data), maxQuote)])))
	}
	return verified("%s has %s at byte %d.", w.path, quote(string(data[at[0]:min(at[1], at[0]+maxQuote)])), at[0])
}
