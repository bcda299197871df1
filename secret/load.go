package secret

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/deskhand/deskhand"
)

// EnvPrefix begins the names of the variables that secrets are taken from:
// DESKHAND_SECRET_GITHUB_PASSWORD is github_password.
const EnvPrefix = "DESKHAND_SECRET_"

// maxFile is the largest file of secrets, in bytes.
const maxFile = 1 << 20

// entry is what the file says of one secret.
type entry struct {
	Value string   `json:"value,omitempty"` // default: from the environment; one in the keyring comes first
	For   []string `json:"for,omitempty"`
}

// Sources are where values come from: the first that has one counts.
type Sources struct {
	// Keyring looks a secret up in the person's keyring. An error that is
	// Unavailable means that there is no keyring to ask. Default: there is none.
	Keyring func(ctx context.Context, name string) (value string, found bool, err error)
	File    string              // also says where secrets may be filled in; need not exist
	Env     func(string) string // required
}

// Load returns the secrets that are wanted, each as NAME or, with a place where
// it may be filled in besides those of the file, as NAME=PLACE; a name may come
// more than once. Invalid: the file can be read by others or is not this user's,
// or something is wrong with what it or wanted says; NotFound: a secret is
// nowhere; Denied: the keyring does not give it out.
func (from Sources) Load(ctx context.Context, wanted ...string) (*Set, error) {
	if len(wanted) == 0 {
		return nil, nil
	}
	entries, err := read(from.File)
	if err != nil {
		return nil, err
	}
	var names []string
	places := map[string][]string{}
	for _, w := range wanted {
		name, place, bound := strings.Cut(w, "=")
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
		if bound {
			places[name] = append(places[name], place)
		}
	}
	var all []Secret
	for _, name := range names {
		value, err := from.value(ctx, name, entries)
		if err != nil {
			return nil, err
		}
		s, err := New(name, value, slices.Concat(entries[name].For, places[name])...)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	set, err := NewSet(all...)
	if err != nil {
		return nil, err
	}
	set.wanted = slices.Clone(wanted)
	return set, nil
}

// value looks for the value of a secret.
func (from Sources) value(ctx context.Context, name string, entries map[string]entry) (string, error) {
	if !nameForm.MatchString(name) {
		return "", nil // New says so
	}
	var unasked string
	if from.Keyring != nil {
		value, found, err := from.Keyring(ctx, name)
		switch {
		case found:
			return value, nil
		case deskhand.CodeOf(err) == deskhand.Unavailable:
			unasked = " (the keyring was not asked: " + err.Error() + ")"
		case err != nil:
			return "", err
		}
	}
	variable := EnvPrefix + strings.ToUpper(name)
	e, listed := entries[name]
	value := cmp.Or(e.Value, from.Env(variable))
	if value == "" && !listed {
		return "", deskhand.Errorf(op, deskhand.NotFound, "there is no secret %s: put it into the keyring or into %s (known there: %s), or set %s%s", name, from.File, known(entries), variable, unasked)
	}
	return value, nil
}

func known(entries map[string]entry) string {
	if len(entries) == 0 {
		return "none"
	}
	return strings.Join(slices.Sorted(maps.Keys(entries)), ", ")
}

// read reads the file strictly, and only when nobody else can.
func read(path string) (map[string]entry, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case errors.Is(err, unix.ELOOP):
		return nil, deskhand.Errorf(op, deskhand.Invalid, "%s is a link: put the file itself there", path)
	case err != nil:
		return nil, deskhand.Errorf(op, deskhand.Invalid, "%s cannot be read: %w", path, err)
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, deskhand.Errorf(op, deskhand.Invalid, "%s cannot be read: %w", path, err)
	}
	switch mode := st.Mode & 0o777; {
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return nil, deskhand.Errorf(op, deskhand.Invalid, "%s is not a file", path)
	case int(st.Uid) != os.Geteuid():
		return nil, deskhand.Errorf(op, deskhand.Invalid, "%s belongs to another user, and secrets are read from files of one's own only: chown it", path)
	case mode&0o077 != 0:
		return nil, deskhand.Errorf(op, deskhand.Invalid, "%s can be read or written by others (mode %04o): chmod 600 %s, and change the secrets in it if others use this machine", path, mode, path)
	case st.Size > maxFile:
		return nil, deskhand.Errorf(op, deskhand.Invalid, "%s is larger than %d MB", path, maxFile>>20)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return nil, deskhand.Errorf(op, deskhand.Invalid, "%s cannot be read: %w", path, err)
	}
	return parse(path, data)
}

// parse never repeats what it could not read: it may be a value.
func parse(path string, data []byte) (map[string]entry, error) {
	var entries map[string]entry
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	err := d.Decode(&entries)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = errNotJSON
		}
	}
	if err != nil {
		return nil, deskhand.Errorf(op, deskhand.Invalid, `%s cannot be read: it has to be {"NAME": {"value": "…", "for": ["https://…"]}}, and something near byte %d is not`, path, d.InputOffset())
	}
	return entries, nil
}
