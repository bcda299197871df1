package main

import (
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/machine"
	"github.com/deskhand/deskhand/model/claude"
	"github.com/deskhand/deskhand/sandbox/egress"
)

// networkFile is in the state directory; docs/network.md has its form.
const (
	networkFile = "network.json"
	setMark     = "@"
)

// networkSettings is what networkFile holds.
type networkSettings struct {
	Allow []string            `json:"allow"` // for every task that has walls
	Sets  map[string][]string `json:"sets"`  // for --allow @NAME; replaces a set that is built in
}

// sets are the lists of hosts that are built in.
func sets() map[string][]string {
	return map[string][]string{
		"packages": {
			"deb.debian.org", "security.debian.org", "archive.ubuntu.com", "security.ubuntu.com",
			"pypi.org", "files.pythonhosted.org", "registry.npmjs.org", "proxy.golang.org", "sum.golang.org",
			"index.crates.io", "static.crates.io", "crates.io", "rubygems.org",
		},
		"search": {"duckduckgo.com", "*.duckduckgo.com"},
	}
}

// allowed returns the entries of --allow and of the person's settings, with
// sets written out. Every entry of the file is checked, used or not.
func (a *app) allowed(flags []string) ([]string, error) {
	settings, err := a.networkSettings()
	if err != nil {
		return nil, err
	}
	known := sets()
	for name, entries := range settings.Sets {
		if !nameForm.MatchString(name) {
			return nil, usage("%s: %q is not a name for a set: use lower-case letters, digits and dashes", networkFile, name)
		}
		known[name] = entries
	}
	for name, entries := range known {
		if _, err := egress.NewRules(nil, entries...); err != nil {
			return nil, usage("%s: in the set %q: %s", networkFile, name, err)
		}
	}
	var out []string
	for _, entry := range slices.Concat(settings.Allow, flags) {
		name, isSet := strings.CutPrefix(entry, setMark)
		entries, ok := known[name]
		switch {
		case isSet && !ok:
			return nil, usage("there is no set of hosts %q: give one of %s, or add it to %s", entry, strings.Join(names(known), ", "), networkFile)
		case isSet:
			out = append(out, entries...)
		default:
			out = append(out, entry)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

func names(sets map[string][]string) []string {
	var all []string
	for name := range sets {
		all = append(all, setMark+name)
	}
	slices.Sort(all)
	return all
}

// networkSettings reads the file strictly: a list that is read wrongly is
// worse than none.
func (a *app) networkSettings() (networkSettings, error) {
	var s networkSettings
	dir, err := a.homePath()
	if err != nil {
		return s, err
	}
	return s, readSettings(filepath.Join(dir, networkFile), &s)
}

// network settles what the task's desktop may reach.
func (c *runCmd) network(a *app, p *plan) error {
	if c.Sandbox == string(machine.None) {
		if len(c.Allow) > 0 {
			return usage("--allow means nothing with --sandbox none, where everything can be reached: leave out one of them")
		}
		return nil
	}
	var err error
	if p.task.Allow, err = a.allowed(c.Allow); err != nil {
		return err
	}
	if _, err := a.rules(p.task); err != nil {
		return usage("%s", err)
	}
	return nil
}

// rules returns what the desktop of t may reach.
func (a *app) rules(t deskhand.Task) (*egress.Rules, error) {
	return egress.NewRules(a.never(), t.Allow...)
}

// never lists the hosts that no desktop reaches, because a model is asked there.
func (a *app) never() []string {
	var hosts []string
	for _, name := range claude.AddressVariables() {
		hosts = append(hosts, modelHosts(a.env(name))...)
	}
	return hosts
}

// modelHosts returns the host that a model is asked at, which must never be
// reached from a desktop. On this machine it is one port, else all of them.
func modelHosts(base string) []string {
	u, err := url.Parse(base)
	if err != nil || u.Hostname() == "" {
		return nil // claude.New says what is wrong
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80"}[u.Scheme]
	}
	if port == "" {
		port = "443"
	}
	switch host := u.Hostname(); {
	case host == "localhost" || strings.HasPrefix(host, "127.") || host == "::1":
		return []string{"localhost:" + port, "127.0.0.1:" + port, "[::1]:" + port}
	case strings.Contains(host, ":"):
		return []string{"[" + host + "]"}
	default:
		return []string{host}
	}
}
