package fake

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
)

// named is what a key's name of more than one character looks like. The fake
// has no table of keys: any such name will do.
var named = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)

// validateKeys reports names that are no key's.
func validateKeys(a desktop.Action) error {
	for _, name := range append(splitKeys(a.Modifiers), splitKeys(a.Keys)...) {
		if utf8.RuneCountInString(name) != 1 && !named.MatchString(name) {
			return deskhand.Errorf("", deskhand.Invalid, "%q is not the name of a key.", name)
		}
	}
	return nil
}

// splitKeys splits at each "+" that is not itself a key's name: "ctrl++" is
// ctrl and plus.
func splitKeys(keys string) []string {
	if keys == "" {
		return nil
	}
	if rest, ok := strings.CutSuffix(keys, "+"); ok {
		return append(splitKeys(strings.TrimSuffix(rest, "+")), "+")
	}
	return strings.Split(keys, "+")
}
