package main

import "strings"

// oneSentence reports whether text is one line of the program's own that has words in it.
func oneSentence(text, words string) bool {
	line, rest, ended := strings.Cut(text, "\n")
	return ended && rest == "" && strings.HasPrefix(line, "deskhand: ") && strings.Contains(line, words)
}
