package policy

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/pelletier/go-toml/v2"

	"github.com/deskhand/deskhand"
)

//go:embed words.toml
var builtIn []byte

// Words is the table of words of consequence. It does not change.
type Words struct {
	by     map[string][]phrase // by the first word that is no *, when one begins with it
	open   []phrase            // those that begin with *
	except []phrase
}

// phrase is a name that has a class.
type phrase struct {
	class Class
	words []string // "*": any
}

// meaning are the sections of a table of words.
var meaning = map[string]Class{
	"purges": Purges, "deletes": Deletes, "sends": Sends, "pays": Pays, "agrees": Agrees, "grants": Grants,
	"registers": Registers, "installs": Installs, "secret": Secret, "except": Looks,
}

var defaultWords = sync.OnceValue(func() *Words {
	w, err := ParseWords("", nil)
	if err != nil {
		panic(err) // unreachable unless the embedded table is broken
	}
	return w
})

func (r Rules) words() *Words {
	if r.Words != nil {
		return r.Words
	}
	return defaultWords()
}

// ParseWords returns the built-in words with those of a file added, which name
// names in messages. docs/policy.md has its form.
func ParseWords(name string, data []byte) (*Words, error) {
	w := &Words{by: map[string][]phrase{}}
	if err := w.read("words.toml", builtIn); err != nil {
		return nil, err
	}
	if data == nil {
		return w, nil
	}
	return w, w.read(name, data)
}

func (w *Words) read(name string, data []byte) error {
	var table map[string]map[string][]string
	if err := toml.Unmarshal(data, &table); err != nil {
		return unreadable(name, err, `a section such as [pays], and in it lines such as en = ["pay", "pay *"]`)
	}
	for section, languages := range table {
		class, ok := meaning[section]
		if !ok {
			return deskhand.Errorf("policy", deskhand.Invalid, "%s: there is no section [%s]: use one of %s", name, section, strings.Join(sections(), ", "))
		}
		for _, list := range languages {
			for _, text := range list {
				if err := w.add(class, text); err != nil {
					return deskhand.Errorf("policy", deskhand.Invalid, "%s: [%s] %q: %s", name, section, text, err)
				}
			}
		}
	}
	return nil
}

func sections() []string {
	var out []string
	for s := range meaning {
		out = append(out, s)
	}
	slices.Sort(out)
	return out
}

func (w *Words) add(class Class, text string) error {
	p := phrase{class, tokens(text)}
	switch {
	case len(p.words) == 0 || strings.Trim(strings.Join(p.words, ""), "*") == "":
		return errors.New("it has no word in it; write the words of a button")
	case class == Looks:
		w.except = append(w.except, p)
	case p.words[0] == "*":
		w.open = append(w.open, p)
	default:
		w.by[p.words[0]] = append(w.by[p.words[0]], p)
	}
	return nil
}

// maxName is the longest name that is compared, in bytes.
const maxName = 2000

// Label returns what acting on an element of that role and name does, and what
// kind of word said so: Changes when no word says anything.
func (w *Words) Label(role, name string) (Class, string) {
	if len(name) > maxName {
		return Unknown, "its name is too long to be read"
	}
	class := w.named(name, func(c Class) bool { return c != Secret })
	if class == Looks || entry(role) && (class == Sends || class == Registers || class == Deletes) {
		return Changes, ""
	}
	return class, "it says"
}

// named returns the heaviest class of those wanted that the name has, or Looks.
func (w *Words) named(name string, want func(Class) bool) Class {
	best := Looks
	folded := skeleton(name)
	forms := [][]string{cut(folded, false)}
	if strings.ContainsAny(folded, "_&") {
		forms = append(forms, cut(folded, true))
	}
	if strings.ContainsAny(name, "\u202e\u202d\u2067") {
		forms = append(forms, cut(reversed(folded), false))
	}
	for _, form := range forms {
		if len(form) == 0 || w.excepted(form) {
			continue
		}
		for _, list := range [][]phrase{w.by[form[0]], w.open} {
			for _, p := range list {
				if want(p.class) && matchWords(p.words, form) {
					best = best.Worse(p.class)
				}
			}
		}
	}
	return best
}

func (w *Words) excepted(form []string) bool {
	return slices.ContainsFunc(w.except, func(p phrase) bool { return matchWords(p.words, form) })
}

func matchWords(pattern, name []string) bool {
	for len(pattern) > 0 {
		if pattern[0] == "*" {
			if len(pattern) == 1 {
				return true
			}
			for i := range name {
				if matchWords(pattern[1:], name[i:]) {
					return true
				}
			}
			return false
		}
		if len(name) == 0 || name[0] != pattern[0] {
			return false
		}
		pattern, name = pattern[1:], name[1:]
	}
	return len(name) == 0
}

// Roles of fields that text is typed into, and of those that hide it.
var (
	entries = words(`entry textbox text textfield textarea searchbox editbar combobox paragraph-entry`)
	hidden  = words(`passwordtext password passwordfield passwordbox`)
)

func plainRole(role string) string {
	return strings.NewReplacer(" ", "", "-", "", "_", "").Replace(strings.ToLower(role))
}

func entry(role string) bool { return entries[plainRole(role)] }

// secret reports whether typing into e enters a secret.
func (w *Words) secret(e Element) bool {
	if hidden[plainRole(e.Role)] {
		return true
	}
	return e.Name != "" && len(e.Name) <= maxName && (entry(e.Role) || e.Role == "") && w.named(e.Name, func(c Class) bool { return c == Secret }) == Secret
}

// unreadable is the error for a file of which a line cannot be read.
func unreadable(name string, err error, like string) error {
	var wrong *toml.DecodeError
	var strict *toml.StrictMissingError
	switch {
	case errors.As(err, &strict) && len(strict.Errors) > 0:
		row, _ := strict.Errors[0].Position()
		return deskhand.Errorf("policy", deskhand.Invalid, "%s:%d: there is no setting %q: write %s", name, row, strings.Join(strict.Errors[0].Key(), "."), like)
	case errors.As(err, &wrong):
		row, _ := wrong.Position()
		text := strings.TrimPrefix(wrong.Error(), "toml: ")
		return deskhand.Errorf("policy", deskhand.Invalid, "%s:%d: %s: write %s", name, row, text, like)
	}
	return deskhand.E("policy", deskhand.Invalid, fmt.Errorf("%s: %w: write %s", name, err, like))
}
