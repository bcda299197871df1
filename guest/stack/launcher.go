package stack

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// command returns what starts p: its wrapper when it has one.
func (p installed) command(bin string) string {
	if len(p.args) > 0 {
		return filepath.Join(bin, p.name)
	}
	return p.path
}

// writeWrappers writes a script into bin for every program that is always
// given arguments, so that it starts the same from the panel and from a shell.
func writeWrappers(bin string, programs []installed) error {
	if err := os.MkdirAll(bin, 0o700); err != nil {
		return err
	}
	var errs []error
	for _, p := range programs {
		if len(p.args) == 0 {
			continue
		}
		errs = append(errs, os.WriteFile(filepath.Join(bin, p.name), []byte(wrapper(p)), 0o700))
	}
	return errors.Join(errs...)
}

func wrapper(p installed) string {
	words := make([]string, 0, 1+len(p.args))
	for _, w := range append([]string{p.path}, p.args...) {
		words = append(words, quoteShell(w))
	}
	return "#!/bin/sh\nexec " + strings.Join(words, " \\\n  ") + " \"$@\"\n"
}

// quoteShell quotes one word for sh.
func quoteShell(word string) string {
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
