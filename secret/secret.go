// Package secret keeps what a person does not want a model to see: passwords
// and keys by name, each with where it may be filled in.
//
// A model knows a secret as {{secret:NAME}}. Mask puts that in the place of the
// value in everything that is recorded or sent; Fill turns it back, together
// with the places where alone the text may go; Leaks finds a value in what is
// about to leave.
//
// It must never print a value: no error, log line or %v of anything in here
// holds one. It does no input or output beyond reading the file and the keyring
// it is given.
//
// Trust: names, texts and arguments come from a model that may have been
// misled, so whoever fills a value in has to find out itself where it goes. A
// value that was changed in a way that this package does not know (split,
// enciphered, drawn) passes Mask and Leaks: they catch accidents and lazy
// attacks. The wall is that a value does not enter the sandbox unless it is
// typed there.
package secret

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/deskhand/deskhand"
)

const op = "secret"

// Bounds of a value, in bytes. A shorter one, such as a number of four digits,
// would be found in texts that have nothing to do with it.
const (
	minValue = 6
	maxValue = 4096
)

var nameForm = regexp.MustCompile(`^[a-z0-9_]{1,64}$`)

// Secret is one value that has a name. Printed, logged or marshalled in any way
// it is its reference.
type Secret struct {
	name  string
	value string
	bound []Target
}

// Target is a place where a secret may be filled in: pages of an origin, or
// windows of a program.
type Target struct {
	Origin  string // of a page, such as "https://github.com"; empty: it is a window
	Program string // name or path of the program whose window it is, such as "keepassxc"
	Title   string // what the window's title has to hold as well; empty: nothing
}

// windowPrefix marks a binding to a program's window.
const windowPrefix = "window:"

// New returns a secret that may be filled in where bound says: web origins
// ("https://github.com"), windows of programs ("window:keepassxc"), and those of
// them whose title holds a text ("window:firefox-esr:GitHub"). Without any it
// can be filled in nowhere. Invalid: the name, the value or a place cannot be used.
func New(name, value string, bound ...string) (Secret, error) {
	s := Secret{name: name, value: value}
	switch {
	case !nameForm.MatchString(name):
		return Secret{}, deskhand.Errorf(op, deskhand.Invalid, "%q is not a name for a secret: use up to 64 lower-case letters, digits and _", name)
	case value == "":
		return Secret{}, deskhand.Errorf(op, deskhand.Invalid, "the secret %s is empty", name)
	case len(value) < minValue:
		return Secret{}, deskhand.Errorf(op, deskhand.Invalid, "the secret %s is shorter than %d bytes, and so would be found in texts that have nothing to do with it", name, minValue)
	case isWord(value):
		return Secret{}, deskhand.Errorf(op, deskhand.Invalid, "the value of the secret %s is part of a word that deskhand itself writes, so it cannot be kept out of the record: choose another", name)
	case len(value) > maxValue:
		return Secret{}, deskhand.Errorf(op, deskhand.Invalid, "the secret %s is longer than %d bytes", name, maxValue)
	case !utf8.ValidString(value) || strings.ContainsRune(value, 0):
		return Secret{}, deskhand.Errorf(op, deskhand.Invalid, "the secret %s is not text that could be typed", name)
	}
	for _, b := range bound {
		t, err := target(b)
		if err != nil {
			return Secret{}, deskhand.Errorf(op, deskhand.Invalid, "the secret %s: %w", name, err)
		}
		s.bound = append(s.bound, t)
	}
	return s, nil
}

// target reads where a secret may be filled in.
func target(bound string) (Target, error) {
	if window, ok := strings.CutPrefix(bound, windowPrefix); ok {
		program, title, titled := strings.Cut(window, ":")
		if program == "" || titled && title == "" {
			return Target{}, fmt.Errorf("%q is not a window such as window:keepassxc or window:firefox-esr:GitHub", bound)
		}
		return Target{Program: program, Title: title}, nil
	}
	origin, ok := canonical(bound)
	if !ok {
		return Target{}, fmt.Errorf("%q is not a web origin such as https://github.com, nor a window such as window:keepassxc", bound)
	}
	return Target{Origin: origin}, nil
}

// canonical returns the one spelling of a web origin. A secret goes over
// https, or to this machine itself.
func canonical(origin string) (string, bool) {
	u, err := url.Parse(origin)
	if err != nil || u.Hostname() == "" || strings.ContainsAny(u.Hostname(), "*%") {
		return "", false
	}
	if bare := (url.URL{Scheme: u.Scheme, Host: u.Host}); !strings.EqualFold(strings.TrimSuffix(origin, "/"), bare.String()) {
		return "", false // it says more than where
	}
	host := strings.ToLower(u.Hostname())
	if u.Scheme != "https" && (u.Scheme != "http" || host != "localhost" && !net.ParseIP(host).IsLoopback()) {
		return "", false
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port := u.Port(); port != "" && port != usualPort[u.Scheme] {
		host += ":" + port
	}
	return u.Scheme + "://" + host, true
}

var usualPort = map[string]string{"https": "443", "http": "80"}

// Name returns the secret's name.
func (s Secret) Name() string { return s.name }

// String returns how a model knows the secret.
func (s Secret) String() string { return "{{secret:" + s.name + "}}" }

// GoString is String, for %#v.
func (s Secret) GoString() string { return s.String() }

// Format is String for every verb, so that none looks into the fields.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// MarshalJSON writes String.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// LogValue logs String.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Set is the secrets of one task. It is immutable; a nil Set has none.
type Set struct {
	secrets []Secret
	forms   []form
	wanted  []string
}

// NewSet returns a set. Invalid: two have the same name, or a value is part of
// how secrets are written, so that it cannot be told from its mask.
func NewSet(secrets ...Secret) (*Set, error) {
	s := &Set{}
	for _, one := range secrets {
		if s.find(one.name) >= 0 {
			return nil, deskhand.Errorf(op, deskhand.Invalid, "the secret %s is there twice", one.name)
		}
		s.secrets = append(s.secrets, one)
		s.forms = append(s.forms, formsOf(len(s.secrets)-1, one.value)...)
	}
	for _, one := range s.secrets {
		if found := s.shows(one.String()); found >= 0 {
			return nil, deskhand.Errorf(op, deskhand.Invalid, "the value of the secret %s is part of how secrets are written: it is too weak to be kept", s.secrets[found].name)
		}
	}
	return s, nil
}

// Names returns the names of the secrets in their order.
func (s *Set) Names() []string {
	if s == nil {
		return nil
	}
	var names []string
	for _, one := range s.secrets {
		names = append(names, one.name)
	}
	return names
}

// Wanted returns what Load was asked for, so that it can be loaded again.
func (s *Set) Wanted() []string {
	if s == nil {
		return nil
	}
	return slices.Clone(s.wanted)
}

// Format prints the names of the secrets for every verb.
func (s *Set) Format(f fmt.State, _ rune) {
	_, _ = f.Write([]byte("secrets " + strings.Join(s.Names(), ", ")))
}

// MarshalJSON writes the names.
func (s *Set) MarshalJSON() ([]byte, error) { return json.Marshal(s.Names()) }

// LogValue logs the names.
func (s *Set) LogValue() slog.Value { return slog.AnyValue(s.Names()) }

func (s *Set) find(name string) int {
	return slices.IndexFunc(s.secrets, func(one Secret) bool { return one.name == name })
}
