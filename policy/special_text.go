package policy

import (
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Sed scripts that only print, delete lines from what is printed, or replace in it.
var (
	sedAddress = `(?:[0-9]+|\$|/(?:[^/\\\n]|\\[^\n])*/)`
	sedCommand = sedAddress + `?(?:,` + sedAddress + `)? *!? *(?:[pdqh=gGxNnHP]|` +
		`s/(?:[^/\\\n]|\\[^\n])*/(?:[^/\\\n]|\\[^\n])*/[gpiI0-9]*|s\|(?:[^|\\\n]|\\[^\n])*\|(?:[^|\\\n]|\\[^\n])*\|[gpiI0-9]*|` +
		`s#(?:[^#\\\n]|\\[^\n])*#(?:[^#\\\n]|\\[^\n])*#[gpiI0-9]*|s,(?:[^,\\\n]|\\[^\n])*,(?:[^,\\\n]|\\[^\n])*,[gpiI0-9]*)`
	sedHarmless = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^(?:` + sedCommand + `)(?: *; *(?:` + sedCommand + `))*;? *$`)
	})
)

func sed(_ *then, p *Part, args []word) {
	p.Class, p.Why = Runs, "sed may write files and run commands"
	scripts, ok := sedScripts(args)
	if slices.ContainsFunc(args[1:], func(w word) bool {
		return strings.HasPrefix(w.text, "--in-place") || short(w.text) && strings.ContainsRune(w.text, 'i')
	}) {
		p.Why = "sed -i changes the file"
		return
	}
	for _, script := range scripts {
		ok = ok && script.plain && sedHarmless().MatchString(script.text)
	}
	if ok && len(scripts) > 0 {
		p.Class, p.Why = Looks, ""
	}
}

// sedScripts returns the scripts that sed is given, and whether every flag is
// known to do nothing else.
func sedScripts(args []word) (scripts []word, ok bool) {
	named := slices.ContainsFunc(args, func(w word) bool { return w.text == "-e" || strings.HasPrefix(w.text, "--expression=") })
	for i := 1; i < len(args); i++ {
		w := args[i]
		inline, given := strings.CutPrefix(w.text, "--expression=")
		switch {
		case !w.known():
			return scripts, false
		case w.text == "-e" && i+1 < len(args):
			i++
			scripts = append(scripts, args[i])
		case given:
			scripts = append(scripts, word{text: inline, plain: w.plain})
		case w.flag():
			if strings.Trim(w.text[1:], "nErsuz") != "" {
				return scripts, false
			}
		case !named && len(scripts) == 0:
			scripts = append(scripts, w)
		}
	}
	return scripts, true
}

var awkActs = regexp.MustCompile("[>|@`]|system|getline|extension|load|include|close|fflush|ARGV|ENVIRON")

func awk(_ *then, p *Part, args []word) {
	p.Class, p.Why = Runs, "an awk program may write files and run commands"
	for i := 1; i < len(args); i++ {
		w := args[i]
		switch {
		case !w.plain:
			return
		case w.text == "-F":
			i++
		case strings.HasPrefix(w.text, "-F"):
		case w.text == "-v" && i+1 < len(args) && args[i+1].plain:
			i++
		case strings.HasPrefix(w.text, "-"):
			return
		case awkActs.MatchString(w.text):
			return
		default:
			for _, rest := range args[i+1:] {
				if rest.flag() || strings.HasPrefix(rest.text, "/inet") {
					return
				}
			}
			p.Class, p.Why = Looks, ""
			return
		}
	}
}
