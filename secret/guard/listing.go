package guard

import (
	"fmt"
	"strings"

	"github.com/deskhand/deskhand/secret"
)

// The words around the list.
const (
	listed = `The user keeps these secrets from you. Where a value is needed, write its reference, and the value is typed in its place:
%s
A reference works only in the text of the computer tool's "type", one secret at a time, and only while a window named here has the focus: click into the field first. What it draws is black in screenshots. Never guess a value, look for it or write it. Where no window is named, ask the user to enter it.`
	listedOne = "- {{secret:%s}}: %s"
)

// Listing tells a model which secrets there are and where each can be typed, ""
// when there are none.
func Listing(s *secret.Set) string {
	var lines []string
	for _, name := range s.Names() {
		_, targets, err := s.Fill("{{secret:" + name + "}}")
		if err != nil {
			continue // unreachable: the name is the set's own
		}
		var places []string
		for _, t := range targets {
			switch {
			case t.Program != "" && t.Title != "":
				places = append(places, fmt.Sprintf("windows of %s with %q in the title", t.Program, t.Title))
			case t.Program != "":
				places = append(places, "windows of "+t.Program)
			}
		}
		where := "no window"
		if len(places) > 0 {
			where = strings.Join(places, "; ")
		}
		lines = append(lines, fmt.Sprintf(listedOne, name, where))
	}
	if len(lines) == 0 {
		return ""
	}
	return fmt.Sprintf(listed, strings.Join(lines, "\n"))
}
