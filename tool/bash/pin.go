package bash

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/deskhand/deskhand"
)

const (
	maxPinned    = 64      // words of a command that are looked at
	maxPinnedLen = 4 << 20 // bytes of a file that are read; of what is longer, when it changed counts
)

// Pin implements tool.Pinner: it stands for the content of every file that a
// word of the command names, as the shell would find it now, and for those that
// are not there. A script that is swapped between a question and its answer is
// another script. What a command finds by other ways is not seen.
func (b *Bash) Pin(ctx context.Context, call deskhand.Call) (deskhand.Hash, error) {
	in, problem := read(call.Input)
	if problem != "" {
		return "", nil // Run will refuse it
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.ensure(ctx); err != nil {
		return "", err
	}
	var all strings.Builder
	seen := map[string]bool{}
	for _, word := range strings.FieldsFunc(in.command, parts) {
		if len(seen) == maxPinned {
			break
		}
		if seen[word] || len(word) > 4096 {
			continue
		}
		seen[word] = true
		if err := ctx.Err(); err != nil {
			return "", deskhand.E("bash: pin", deskhand.Canceled, context.Cause(ctx))
		}
		data, info, err := b.sandbox.ReadFile(ctx, b.found(word), 0, maxPinnedLen)
		switch code := deskhand.CodeOf(err); {
		case err == nil && info.Size <= maxPinnedLen:
			fmt.Fprintf(&all, "%q %v %s\n", word, info.Mode, deskhand.HashOf(data))
		case err == nil:
			fmt.Fprintf(&all, "%q %s\n", word, info.Version)
		case code == deskhand.Unavailable || code == deskhand.Canceled:
			return "", err
		default:
			fmt.Fprintf(&all, "%q %s\n", word, code)
		}
	}
	return deskhand.HashOf([]byte(all.String())), nil
}

// parts reports whether r stands between the words of a command, however they
// are quoted.
func parts(r rune) bool { return strings.ContainsRune(" \t\r\n;|&()<>{}\"'`$=", r) }

// found returns the path of a word as the shell would open it now.
func (b *Bash) found(word string) string {
	if path.IsAbs(word) {
		return word
	}
	return "/proc/" + b.session.pid + "/cwd/" + word
}
