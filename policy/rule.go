package policy

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/deskhand/deskhand"
)

// Rule is one line of a policy: what to do with the calls that a pattern
// describes. Make it with ParseRule.
type Rule struct {
	Outcome deskhand.Outcome
	Source  string // the file it stands in; empty: none

	tool, op string   // "bash"; "files", "delete"
	pattern  string   // as written between the brackets
	words    []string // of bash
	open     bool     // of bash: the last word was *
}

// String returns the rule as it is written, with its file.
func (r Rule) String() string {
	s := string(r.Outcome) + " " + r.Pattern()
	if r.Source != "" {
		s += " (" + r.Source + ")"
	}
	return s
}

// Pattern returns the rule without its outcome, as it is written in a file.
func (r Rule) Pattern() string { return r.tool + "(" + r.pattern + ")" }

// kinds are the tools that rules speak of: how the pattern is read, and how it
// should look.
var kinds = map[string]struct {
	read func(*Rule) string // returns what is wrong with it
	like string
}{
	"bash":      {readBash, "bash(git status) or bash(git log *)"},
	"browser":   {readDomain, "browser(domain:*.example.com)"},
	"computer":  {readApp, "computer(app:gimp)"},
	"files":     {readFiles, "files(write:~/Work/**), with read, write or delete"},
	"connector": {readName, "connector(github.create_issue)"},
	"network":   {readHost, "network(example.com:443)"},
	"tool":      {readName, "tool(name)"},
	"memory":    {readName, "memory(create)"},
}

// ParseRule reads a pattern such as "bash(git status)". What is wrong is said
// with what to write instead.
func ParseRule(outcome deskhand.Outcome, text string) (Rule, error) {
	tool, rest, found := strings.Cut(strings.TrimSpace(text), "(")
	kind, known := kinds[tool]
	pattern, closed := strings.CutSuffix(rest, ")")
	r := Rule{Outcome: outcome, tool: tool, pattern: strings.TrimSpace(pattern)}
	problem := ""
	switch {
	case weight[outcome] == 0 && outcome != allow:
		problem = "its outcome is none of allow, ask and deny"
	case !known:
		return Rule{}, deskhand.Errorf("policy", deskhand.Invalid, "the rule %q is for no tool that is known: begin with one of bash, browser, computer, connector, files, memory, network, tool", text)
	case !found || !closed:
		problem = "its pattern is not in brackets"
	case r.pattern == "":
		problem = "its brackets are empty"
	case strings.ContainsFunc(r.pattern, unseen):
		problem = "it holds characters that cannot be seen"
	default:
		problem = kind.read(&r)
	}
	if problem != "" {
		return Rule{}, deskhand.Errorf("policy", deskhand.Invalid, "the rule %q cannot be used: %s; write it like %s", text, problem, kind.like)
	}
	return r, nil
}

func readBash(r *Rule) string {
	for _, w := range splitWords(r.pattern) {
		if w == "" {
			return "a quotation mark is not closed"
		}
		r.words = append(r.words, w)
	}
	if r.words[len(r.words)-1] == "*" {
		r.open, r.words = true, r.words[:len(r.words)-1]
	}
	switch {
	case len(r.words) == 0 && r.Outcome == allow:
		return "it would allow every command, which is what the mode trust is for"
	case r.Outcome != allow || len(r.words) == 0:
		return ""
	case strings.ContainsAny(r.words[0], "*?["):
		return "its program is not named"
	case r.wild() && runner(r.words[0]) && !r.subcommand():
		return path.Base(r.words[0]) + " runs whatever stands behind it, so that it would allow every command"
	}
	return ""
}

func (r Rule) wild() bool {
	return r.open || slices.ContainsFunc(r.words, func(w string) bool { return strings.ContainsAny(w, "*?[") })
}

// subcommand reports whether the rule names what a program such as git is to do.
func (r Rule) subcommand() bool {
	_, known := subcommands[path.Base(r.words[0])]
	return known && len(r.words) > 1 && !strings.HasPrefix(r.words[1], "-") && !strings.ContainsAny(r.words[1], "*?[")
}

// splitWords cuts a pattern at spaces outside quotation marks, which fall away.
// An unclosed mark yields an empty last word.
func splitWords(s string) (out []string) {
	var b strings.Builder
	quote, in := rune(0), false
	for _, c := range s {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			b.WriteRune(c)
		case c == '\'' || c == '"':
			quote, in = c, true
		case c == ' ' || c == '\t':
			if in {
				out, in = append(out, b.String()), false
				b.Reset()
			}
		default:
			in = true
			b.WriteRune(c)
		}
	}
	if quote != 0 {
		return append(out, "")
	}
	if in {
		out = append(out, b.String())
	}
	return out
}

func readDomain(r *Rule) string {
	host, ok := strings.CutPrefix(r.pattern, "domain:")
	if !ok {
		return "it names no domain"
	}
	return checkHost(host, r.Outcome)
}

func checkHost(host string, o deskhand.Outcome) string {
	name := strings.TrimPrefix(host, "*.")
	broad := host == "*" || host != name && !strings.Contains(name, ".")
	switch {
	case broad && o == allow:
		return "it would be every host, or every host of a top-level domain"
	case host == "*":
		return ""
	case name == "" || strings.ToLower(name) != name || strings.Contains(name, "*"):
		return "the host is not a name in lower case, with *. before it for all below it"
	case strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789.-:[]") != "":
		return "the host holds characters that hosts do not have (write names in other scripts as xn--…)"
	}
	return ""
}

func readHost(r *Rule) string {
	host, _ := splitPort(r.pattern)
	return checkHost(host, r.Outcome)
}

func splitPort(s string) (host, port string) {
	if i := strings.LastIndexByte(s, ':'); i >= 0 && !strings.HasSuffix(s, "]") {
		return s[:i], s[i+1:]
	}
	return s, ""
}

func readApp(r *Rule) string {
	app, ok := strings.CutPrefix(r.pattern, "app:")
	switch {
	case !ok || app == "":
		return "it names no app"
	case r.Outcome == allow && strings.ContainsAny(app, "*?["):
		return "an app that is allowed is named in full"
	}
	return ""
}

func readFiles(r *Rule) string {
	op, file, ok := strings.Cut(r.pattern, ":")
	switch {
	case !ok || op != "read" && op != "write" && op != "delete":
		return "it does not say read:, write: or delete:"
	case !strings.HasPrefix(file, "/") && !strings.HasPrefix(file, "~/") && !strings.HasPrefix(file, "**"):
		return "its path begins with neither / nor ~/"
	case r.Outcome == allow && (strings.HasPrefix(file, "**") || strings.HasPrefix(file, "/*")):
		return "it would be every file"
	case slices.Contains(strings.Split(file, "/"), ".."):
		return "its path has .. in it"
	}
	if _, err := path.Match(strings.ReplaceAll(file, "**", "*"), ""); err != nil {
		return "its path has a bracket that is not closed"
	}
	r.op = op
	return ""
}

func readName(r *Rule) string {
	if r.Outcome == allow && strings.HasPrefix(r.pattern, "*") {
		return "it would allow everything"
	}
	if strings.ContainsAny(r.pattern, " ()") {
		return "a name has no spaces or brackets"
	}
	return ""
}

// Reach judges a connection to host, a name in lower case or an address, at
// port. Nothing said by a rule asks.
func (r Rules) Reach(host string, port int) deskhand.Verdict {
	p := Part{Class: Reaches, target: target{tool: "network", host: host, port: fmt.Sprint(port)}}
	outcome, name := r.judge(&p, Context{})
	if outcome == allow && strings.HasPrefix(name, "mode:") { // the list of hosts decides, never a mode
		outcome = ask
	}
	v := deskhand.Verdict{Outcome: outcome, Rule: name}
	if outcome != allow {
		v.Reason = "It contacts a host that no rule allows."
	}
	return v
}
