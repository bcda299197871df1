package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/plaintext"
	"github.com/deskhand/deskhand/policy"
)

// trustedFile, in the state directory, says which content of which project's
// rules a person has accepted.
const trustedFile = "trusted.json"

// rulesFor returns the rules that are in force for a task by now: the person's
// own, and those of the projects among its folders.
func (a *app) rulesFor(t deskhand.Task) (policy.Rules, error) {
	rules, err := a.ownRules()
	if err != nil {
		return rules, err
	}
	for _, f := range t.Folders {
		more, _, err := a.projectRules(f.Path)
		if err != nil {
			return rules, err
		}
		rules.Rules = append(rules.Rules, more...)
	}
	return rules, nil
}

// ownRules returns the person's own rules and words.
func (a *app) ownRules() (rules policy.Rules, err error) {
	dir, err := a.homePath()
	if err != nil {
		return rules, err
	}
	words, err := optional(filepath.Join(dir, wordsFile))
	if err != nil {
		return rules, err
	}
	if rules.Words, err = policy.ParseWords(wordsFile, words); err != nil {
		return rules, usage("%s", told(err))
	}
	data, err := optional(filepath.Join(dir, policyFile))
	if err == nil {
		err = add(&rules, policyFile, data)
	}
	return rules, err
}

// projectRules returns the rules of a project's folder, and whether what they
// allow counts: when this content was accepted.
func (a *app) projectRules(dir string) (rules []policy.Rule, trusted bool, err error) {
	data, err := optional(filepath.Join(dir, projectFile))
	if err != nil || data == nil {
		return nil, true, err
	}
	accepted, err := a.trusted()
	if err != nil {
		return nil, false, err
	}
	real, err := realDir(dir)
	if err != nil {
		return nil, false, err
	}
	rules, trusted, err = policy.Project(filepath.Join(dir, projectFile), data, accepted[real])
	if err != nil {
		err = usage("%s", told(err))
	}
	return rules, trusted, err
}

// trusted returns the accepted content of projects' rules, by folder.
func (a *app) trusted() (map[string]deskhand.Hash, error) {
	dir, err := a.homePath()
	if err != nil {
		return nil, err
	}
	data, err := optional(filepath.Join(dir, trustedFile))
	out := map[string]deskhand.Hash{}
	if err != nil || data == nil {
		return out, err
	}
	if err := json.Unmarshal(data, &out); err != nil {
		return nil, usage("%s cannot be read (%s): remove it, and accept your projects' rules again", filepath.Join(dir, trustedFile), err)
	}
	return out, nil
}

// realDir returns the one name under which a folder is trusted.
func realDir(dir string) (string, error) {
	real, err := filepath.Abs(dir)
	if err == nil {
		real, err = filepath.EvalSymlinks(real)
	}
	if err != nil {
		return "", usage("%s cannot be found (%s)", dir, cause(err))
	}
	return real, nil
}

type policyTrustCmd struct {
	Folder string `arg:"" optional:"" default:"." help:"The project's folder (default: the one you are in)."`
	Revoke bool   `help:"Do not trust it any more."`
}

// Run shows what a project's rules allow, and from then on lets exactly that count.
func (c *policyTrustCmd) Run(a *app) error {
	dir, err := realDir(c.Folder)
	if err != nil {
		return err
	}
	accepted, err := a.trusted()
	if err != nil {
		return err
	}
	if c.Revoke {
		delete(accepted, dir)
		if err := a.saveTrusted(accepted); err != nil {
			return err
		}
		fmt.Fprintln(a.stdout, plaintext.Line("What "+filepath.Join(dir, projectFile)+" allows does not count any more."))
		return nil
	}
	data, err := readFile(filepath.Join(dir, projectFile), maxPolicy, "policy trust")
	if err != nil {
		return err
	}
	rules, err := policy.Parse(projectFile, data)
	if err != nil {
		return usage("%s", told(err))
	}
	accepted[dir] = deskhand.HashOf(data)
	if err := a.saveTrusted(accepted); err != nil {
		return err
	}
	for _, r := range rules {
		fmt.Fprintln(a.stdout, plaintext.Line(r.String()))
	}
	fmt.Fprintln(a.stdout, plaintext.Line("These rules count in "+dir+" until the file changes."))
	return nil
}

func (a *app) saveTrusted(accepted map[string]deskhand.Hash) error {
	data, err := json.MarshalIndent(accepted, "", "  ")
	if err != nil {
		return deskhand.E("policy", deskhand.Internal, err)
	}
	return a.saveSettings(trustedFile, append(data, '\n'))
}

// saveRules adds what an answer "always" allows to the person's rules, and says so.
func (a *app) saveRules(id deskhand.TaskID, patterns []string) error {
	if len(patterns) == 0 {
		return usage("no rule can be offered that allows only this: answer yes or no")
	}
	var rules []policy.Rule
	for _, text := range patterns {
		rule, err := policy.ParseRule(deskhand.Allow, text)
		if err != nil {
			return err
		}
		rules = append(rules, rule)
	}
	dir, err := a.homePath()
	if err != nil {
		return err
	}
	data, err := optional(filepath.Join(dir, policyFile))
	if err != nil {
		return err
	}
	out, err := policy.Allowing(policyFile, data, rules, time.Now().Format(time.DateOnly)+", task "+string(id))
	if err != nil {
		return usage("%s", told(err))
	}
	if bytes.Equal(out, data) {
		return nil
	}
	return a.saveSettings(policyFile, out)
}

// saveSettings replaces a file of the state directory, whole or not at all. What
// it is a link to is replaced, not the link.
func (a *app) saveSettings(name string, data []byte) error {
	dir, err := a.home()
	if err != nil {
		return err
	}
	path := filepath.Join(dir, name)
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+name+"-*")
	if err != nil {
		return usage("%s cannot be written (%s)", path, cause(err))
	}
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		if gone := os.Remove(tmp.Name()); !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
		return usage("%s cannot be written (%s)", path, cause(firstOf(err)))
	}
	return nil
}

// answers are what a person may say to a question about a call.
var answers = map[string]deskhand.Decision{
	"yes": {Approve: true}, "y": {Approve: true},
	"task":   {Approve: true, Scope: deskhand.ForTask},
	"always": {Approve: true, Scope: deskhand.Always},
	"no":     {}, "n": {},
}

// readAnswer reads what a person typed. What is not plainly one of the answers is
// asked for again: nothing is read into it.
func readAnswer(line string) (deskhand.Decision, error) {
	word, comment, _ := strings.Cut(strings.TrimSpace(line), ":")
	d, known := answers[strings.ToLower(strings.TrimSpace(word))]
	if !known {
		return d, usage("type yes, task, always, no, or no: and what to tell the model")
	}
	d.Comment, d.By = strings.TrimSpace(comment), whoami()
	return d, nil
}

// answer gives a person's answer to a question, saving first what it is to allow from now on.
func (s *session) answer(ctx context.Context, id deskhand.TaskID, q deskhand.ApprovalAsked, d deskhand.Decision) error {
	if d.Scope == deskhand.ForTask && len(q.Always) == 0 {
		return usage("no rule can be offered that allows only this: answer yes or no")
	}
	if d.Scope == deskhand.Always {
		if err := s.app.saveRules(id, q.Always); err != nil {
			return err
		}
	}
	d.CallID, d.Nonce = q.Call.ID, q.Nonce
	return s.engine.Answer(ctx, id, d)
}
