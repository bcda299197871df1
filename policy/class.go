package policy

import "github.com/deskhand/deskhand"

// Class is what a call, or a part of it, does to the world. The empty class is
// read as Unknown.
type Class string

// The classes. From Purges on they are the never-automatic list: they ask in
// every mode.
const (
	Looks    Class = "looks"    // changes nothing
	Changes  Class = "changes"  // changes files or what is on the screen
	Reaches  Class = "reaches"  // contacts a host, to read
	Runs     Class = "runs"     // runs code that is not in the call
	Persists Class = "persists" // leaves something that a later command or program obeys
	Deletes  Class = "deletes"  // deletes what can be brought back
	Unknown  Class = "unknown"  // acts, and nobody can tell how

	Purges    Class = "purges"    // deletes for good
	Sends     Class = "sends"     // sends something out
	Pays      Class = "pays"      // spends money
	Agrees    Class = "agrees"    // accepts terms or cookies on somebody's behalf
	Grants    Class = "grants"    // gives access or rights
	Registers Class = "registers" // makes an account
	Secret    Class = "secret"    // enters a secret
	Installs  Class = "installs"  // installs software
	Leaves    Class = "leaves"    // goes beyond the accepted plan
)

// row is what every mode says to a class that no rule decides.
type row struct {
	class Class
	does  string // completes "It …"
	never bool   // on the never-automatic list

	ask, plan, auto, trust deskhand.Outcome
	planned                deskhand.Outcome // in mode plan or ask, inside an accepted plan
}

const (
	allow = deskhand.Allow
	ask   = deskhand.Ask
	deny  = deskhand.Deny
)

// rows is ordered: of two classes the later one weighs more.
var rows = []row{
	{Looks, "only looks", false, allow, allow, allow, allow, allow},
	{Changes, "changes something", false, ask, deny, allow, allow, allow},
	{Reaches, "contacts a host", false, ask, deny, allow, allow, allow},
	{Runs, "runs code that this call does not show", false, ask, deny, ask, allow, ask},
	{Persists, "leaves something that later commands obey", false, ask, deny, ask, allow, ask},
	{Deletes, "deletes something", false, ask, deny, ask, allow, allow},
	{Unknown, "does something that cannot be told beforehand", false, ask, deny, ask, allow, ask},
	{Installs, "installs software", true, ask, deny, ask, ask, ask},
	{Registers, "makes an account", true, ask, deny, ask, ask, ask},
	{Agrees, "accepts terms or cookies for you", true, ask, deny, ask, ask, ask},
	{Secret, "enters a secret", true, ask, deny, ask, ask, ask},
	{Grants, "gives access or rights", true, ask, deny, ask, ask, ask},
	{Sends, "sends something out", true, ask, deny, ask, ask, ask},
	{Pays, "spends money", true, ask, deny, ask, ask, ask},
	{Purges, "deletes for good", true, ask, deny, ask, ask, ask},
	{Leaves, "goes beyond the accepted plan", true, ask, deny, ask, ask, ask},
}

// rank returns the place of c in rows, that of Unknown when c is none.
func rank(c Class) int {
	unknown := 0
	for i, r := range rows {
		if r.class == c {
			return i
		}
		if r.class == Unknown {
			unknown = i
		}
	}
	return unknown
}

func (c Class) row() row { return rows[rank(c)] }

// Never reports whether c asks in every mode.
func (c Class) Never() bool { return c.row().never }

// Worse returns the one of c and d that weighs more.
func (c Class) Worse(d Class) Class {
	if rank(d) > rank(c) {
		return d
	}
	return c
}

// Mode is a permission mode.
type Mode string

// The modes.
const (
	AskMode Mode = "ask"   // looks freely, asks before it acts outside what a rule or the plan allows
	Plan    Mode = "plan"  // nothing acts until a plan is accepted
	Auto    Mode = "auto"  // acts, asks for what has consequences
	Trust   Mode = "trust" // acts inside a sandbox, asks for the never-automatic list
)

// ParseMode returns the mode of that name.
func ParseMode(name string) (Mode, error) {
	switch m := Mode(name); m {
	case AskMode, Plan, Auto, Trust:
		return m, nil
	}
	return "", deskhand.Errorf("policy", deskhand.Invalid, "there is no permission mode %q: give ask, plan, auto or trust", name)
}

// outcome returns what the mode says to a class, and the name of what said it.
func (m Mode) outcome(c Class, at Context) (deskhand.Outcome, string) {
	r := c.row()
	name := "mode:" + string(m)
	if m == Trust && !at.Sandboxed && !r.never {
		m, name = Auto, "mode:trust, outside a sandbox" // trust is for sandboxes
	}
	switch m {
	case AskMode, Plan:
		return r.careful(m, name, at.Plan)
	case Auto:
		return r.auto, name
	case Trust:
		return r.trust, name
	}
	return deny, "mode:unknown"
}

// careful returns what the modes ask and plan say, where the plan counts.
func (r row) careful(m Mode, name string, p Standing) (deskhand.Outcome, string) {
	switch {
	case r.class == Looks:
		return allow, name
	case p == Inside:
		return r.planned, "plan"
	case p == Outside || m == AskMode:
		return ask, name
	}
	return r.plan, name
}
