package policy

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"mvdan.cc/sh/v3/syntax"
)

// Bounds of a shell line. Beyond them it asks.
const (
	maxShell  = 8 << 10 // bytes
	maxOpen   = 120     // brackets and backquotes
	maxDepth  = 30      // commands within commands
	maxPieces = 200     // parts
)

// scan is the reading of one shell line. Everything it does not know by name
// becomes a part of class Unknown.
type scan struct {
	parts    []Part
	reshapes bool
	depth    int
}

// readShell cuts a line for bash into its parts.
func readShell(line string) *scan { return readShellAt(line, 0) }

func readShellAt(line string, depth int) *scan {
	s := &scan{depth: depth}
	switch {
	case len(line) > maxShell:
		return s.puzzled("the whole line", "it is too long to be read")
	case !utf8.ValidString(line) || strings.ContainsFunc(line, unseen):
		return s.puzzled("the whole line", "it holds characters that cannot be seen")
	case strings.Count(line, "(")+strings.Count(line, "{")+strings.Count(line, "`")+strings.Count(line, "[") > maxOpen:
		return s.puzzled("the whole line", "it is nested too deeply to be read")
	}
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(line), "")
	if err != nil {
		return s.puzzled("the whole line", "it cannot be parsed")
	}
	s.stmts(file.Stmts)
	if len(s.parts) > maxPieces {
		return (&scan{reshapes: s.reshapes}).puzzled("the whole line", "it has too many parts")
	}
	if len(s.parts) == 0 {
		s.add(Part{Text: "nothing", Class: Looks})
	}
	return s
}

// unseen reports whether a character shows as nothing, as a space that is none,
// or moves what stands around it.
func unseen(r rune) bool {
	switch r {
	case ' ', '\n', '\t':
		return false
	case unicode.ReplacementChar, 0x115F, 0x1160, 0x2800, 0x3164, 0xFFA0:
		return true
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Zs, unicode.Zl, unicode.Zp, unicode.Variation_Selector)
}

func (s *scan) add(p Part) {
	if p.tool == "" {
		p.tool = "bash"
	}
	s.parts = append(s.parts, p)
}

func (s *scan) puzzled(text, why string) *scan {
	s.add(Part{Text: text, Class: Unknown, Why: why, target: target{veiled: true}})
	s.reshapes = true
	return s
}

// enter calls f one level deeper, as long as there is room.
func (s *scan) enter(f func()) {
	if s.depth++; s.depth > maxDepth || len(s.parts) > maxPieces {
		s.puzzled("a command within a command", "it is nested too deeply to be read")
	} else {
		f()
	}
	s.depth--
}

func (s *scan) stmts(list []*syntax.Stmt) {
	s.enter(func() {
		for _, st := range list {
			s.stmt(st)
		}
	})
}

func (s *scan) stmt(st *syntax.Stmt) {
	if st.Coprocess || st.Disown {
		s.puzzled("a job", "it is syntax that is not known")
	}
	for _, r := range st.Redirs {
		s.redirect(r)
	}
	if st.Cmd != nil {
		s.enter(func() { s.command(st.Cmd) })
	}
}

func (s *scan) command(c syntax.Command) {
	switch c := c.(type) {
	case *syntax.CallExpr:
		s.call(c)
	case *syntax.BinaryCmd:
		s.stmt(c.X)
		s.stmt(c.Y)
	case *syntax.TimeClause:
		if c.Stmt != nil {
			s.stmt(c.Stmt)
		}
	case *syntax.TestClause:
		s.test(c.X)
	case *syntax.FuncDecl:
		s.reshape("a function", "it gives a name another meaning for later commands")
	case *syntax.DeclClause:
		s.declare(c)
	default:
		s.compound(c)
	}
}

// compound reads what has commands in it.
func (s *scan) compound(c syntax.Command) {
	switch c := c.(type) {
	case *syntax.Subshell:
		s.stmts(c.Stmts)
	case *syntax.Block:
		s.stmts(c.Stmts)
	case *syntax.IfClause:
		for ; c != nil; c = c.Else {
			s.stmts(c.Cond)
			s.stmts(c.Then)
		}
	case *syntax.WhileClause:
		s.stmts(c.Cond)
		s.stmts(c.Do)
	case *syntax.ForClause:
		s.loop(c)
	case *syntax.CaseClause:
		s.choice(c)
	default:
		s.puzzled("a construct of the shell", "it is syntax that is not known")
	}
}

func (s *scan) choice(c *syntax.CaseClause) {
	s.word(c.Word)
	for _, item := range c.Items {
		for _, w := range item.Patterns {
			s.word(w)
		}
		s.stmts(item.Stmts)
	}
}

// reshape adds a part that changes what later commands mean.
func (s *scan) reshape(text, why string) {
	s.add(Part{Text: text, Class: Persists, Why: why, target: target{veiled: true}})
	s.reshapes = true
}

func (s *scan) loop(c *syntax.ForClause) {
	it, ok := c.Loop.(*syntax.WordIter)
	if !ok || c.Select {
		s.puzzled("a loop", "it is syntax that is not known")
	} else {
		s.assigned(it.Name.Value)
		for _, w := range it.Items {
			s.word(w)
		}
	}
	s.stmts(c.Do)
}

// test reads [[ … ]], where words known only at run time could run commands
// through arithmetic.
func (s *scan) test(x syntax.TestExpr) {
	switch x := x.(type) {
	case *syntax.Word:
		s.word(x)
		return
	case *syntax.ParenTest:
		s.test(x.X)
		return
	case *syntax.UnaryTest:
		if x.Op == syntax.TsNot || slices.Contains([]syntax.UnTestOperator{syntax.TsExists, syntax.TsRegFile, syntax.TsDirect, syntax.TsEmpStr, syntax.TsNempStr, syntax.TsRead, syntax.TsWrite, syntax.TsExec, syntax.TsNoEmpty, syntax.TsSmbLink}, x.Op) {
			s.test(x.X)
			return
		}
	case *syntax.BinaryTest:
		if slices.Contains([]syntax.BinTestOperator{syntax.TsMatch, syntax.TsMatchShort, syntax.TsNoMatch, syntax.TsReMatch, syntax.AndTest, syntax.OrTest, syntax.TsBefore, syntax.TsAfter, syntax.TsNewer, syntax.TsOlder}, x.Op) {
			s.test(x.X)
			s.test(x.Y)
			return
		}
	}
	s.puzzled("a test", "it may evaluate what is known only when it runs")
}

func (s *scan) declare(c *syntax.DeclClause) {
	for _, a := range c.Args {
		s.word(a.Value)
	}
	s.reshape(c.Variant.Value, "it sets a variable that later commands obey")
}

var (
	tame      = regexp.MustCompile(`^[a-z][a-z0-9_]{0,30}$`)
	harmlessV = words("LC_ALL LC_CTYPE LC_COLLATE LC_NUMERIC LC_TIME LC_MESSAGES LANG TZ COLUMNS LINES NO_COLOR")
)

// assigned judges the setting of a variable by its name.
func (s *scan) assigned(name string) {
	if !tame.MatchString(name) || strings.HasSuffix(name, "_proxy") || name == "path" {
		s.reshape(name+"=…", "it sets a variable that later commands obey")
	}
}

// assign reads the assignments before a command, or without one.
func (s *scan) assign(list []*syntax.Assign, alone bool) {
	for _, a := range list {
		w := s.word(a.Value)
		switch {
		case a.Name == nil || a.Index != nil || a.Array != nil:
			s.puzzled("an assignment", "it is syntax that is not known")
		case alone:
			s.assigned(a.Name.Value)
		case !harmlessV[a.Name.Value] || a.Value != nil && !w.plain:
			s.add(Part{Text: a.Name.Value + "=…", Class: Runs, Why: "it sets a variable that the command obeys", target: target{veiled: true}})
		}
	}
}

func (s *scan) call(c *syntax.CallExpr) {
	s.assign(c.Assigns, len(c.Args) == 0)
	if len(c.Args) == 0 {
		return
	}
	args := make([]word, len(c.Args))
	for i, w := range c.Args {
		args[i] = s.word(w)
	}
	s.program(args)
}

var plainFd = regexp.MustCompile(`^([0-9]{1,3}-?|-)$`)

// redirect reads one redirection: where something is written is a part.
func (s *scan) redirect(r *syntax.Redirect) {
	w := s.word(r.Word)
	if r.Hdoc != nil {
		s.word(r.Hdoc)
	}
	if r.N != nil && !plainFd.MatchString(r.N.Value) {
		s.reshape("a redirection", "it sets a variable")
	}
	switch r.Op {
	case syntax.RdrIn, syntax.Hdoc, syntax.DashHdoc, syntax.WordHdoc:
		if r.Op == syntax.RdrIn {
			s.socket(w)
		}
		return
	case syntax.DplIn, syntax.DplOut:
		if w.plain && plainFd.MatchString(w.text) {
			return
		}
	case syntax.RdrOut, syntax.AppOut, syntax.RdrClob, syntax.RdrAll, syntax.AppAll, syntax.RdrInOut:
	default:
		s.puzzled("a redirection", "it is syntax that is not known")
		return
	}
	if s.socket(w) || w.plain && slices.Contains([]string{"/dev/null", "/dev/stdout", "/dev/stderr"}, w.text) {
		return
	}
	s.write(w)
}

// socket adds a part when bash would open a connection instead of a file.
func (s *scan) socket(w word) bool {
	switch {
	case strings.HasPrefix(w.text, "/dev/tcp/"), strings.HasPrefix(w.text, "/dev/udp/"):
		s.add(Part{Text: w.text, Class: Sends, Why: "the shell opens a connection", target: target{veiled: true}})
	case !w.plain && !strings.HasPrefix(w.text, "/dev/fd/") && (w.text == "" || strings.HasPrefix("/dev/tcp/", w.text) || strings.HasPrefix(w.text, "/dev")):
		s.puzzled("a redirection", "where it leads is known only when it runs")
	default:
		return false
	}
	return true
}

// write adds the part of a file that is written.
func (s *scan) write(w word) {
	class, why := writes(w.text)
	s.add(Part{Text: "write " + w.show(), Class: class, Why: why,
		target: target{tool: "files", op: "write", path: w.text, strict: w.plain, veiled: !w.plain}})
}

// writes returns what writing to a file does.
func writes(file string) (Class, string) {
	switch {
	case strings.HasPrefix(file, "/dev/") && !strings.HasPrefix(file, "/dev/null") && !strings.HasPrefix(file, "/dev/std") && !strings.HasPrefix(file, "/dev/fd/") && !strings.HasPrefix(file, "/dev/shm/"):
		return Purges, "it writes to a device"
	case obeys(file):
		return Persists, "programs obey what stands in " + path.Base(file)
	}
	return Changes, "it writes a file"
}
