// Package lines is text as its lines: cut, numbered, with text put between them,
// and where something stands in them. Tools that show and edit files for a model
// share it, so that they count alike.
package lines

import (
	"fmt"
	"strconv"
	"strings"
)

// Split cuts text into its lines. A final line feed ends a line and starts none.
func Split(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// Number writes lines as cat -n does; first is the number of the first one.
func Number(lines []string, first int) string {
	var b strings.Builder
	for i, line := range lines {
		fmt.Fprintf(&b, "%6d\t%s\n", first+i, line)
	}
	return b.String()
}

// InsertAfter returns text with added as whole lines after the first n lines. A
// missing final line feed stays missing, unless added ends in one at the end.
func InsertAfter(text, added string, n int) string {
	at := 0
	for range n {
		next := strings.IndexByte(text[at:], '\n')
		if next < 0 {
			return text + "\n" + added
		}
		at += next + 1
	}
	if !strings.HasSuffix(added, "\n") && text != "" {
		added += "\n"
	}
	return text[:at] + added + text[at:]
}

// maxPlaces bounds how many matches are looked for; more than one is too many.
const maxPlaces = 50

// Places returns where s, which is not empty, stands in text, overlapping places
// included; of very many the first.
func Places(text, s string) []int {
	var found []int
	for from := 0; len(found) < maxPlaces; {
		at := strings.Index(text[from:], s)
		if at < 0 {
			break
		}
		found = append(found, from+at)
		from += at + 1
	}
	return found
}

// Numbers returns the lines that the places stand in, such as "3, 17".
func Numbers(text string, places []int) string {
	var list []string
	for _, at := range places {
		n := strconv.Itoa(1 + strings.Count(text[:at], "\n"))
		if len(list) == 0 || list[len(list)-1] != n {
			list = append(list, n)
		}
	}
	if len(places) == maxPlaces {
		list = append(list, "…")
	}
	return strings.Join(list, ", ")
}

const (
	around     = 4   // lines shown on each side of an edit
	maxSnippet = 200 // lines of an edit that are shown
)

// Snippet shows the lines first to last of text, counted from 0, with those
// around them, numbered.
func Snippet(text string, first, last int) string {
	all := Split(text)
	from, to := max(0, first-around), min(len(all), last+around+1, first+maxSnippet)
	return Number(all[min(from, to):to], from+1)
}
