package policy

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// word is one argument as far as it is known before the command runs.
type word struct {
	text  string // without quotation marks; what is not known is left out
	plain bool   // it is exactly text
	held  bool   // it is one or more arguments of which none can be a flag
	tilde bool   // it begins with the home of somebody
}

func (w word) show() string {
	if w.plain {
		return w.text
	}
	return w.text + "…"
}

// known reports whether w is one argument for certain, or names of files.
func (w word) known() bool { return w.plain || w.held }

// flag reports whether w is, or could turn out to be, a flag.
func (w word) flag() bool { return !w.held && (!w.plain || len(w.text) > 1 && w.text[0] == '-') }

// reading collects a word.
type reading struct {
	text   strings.Builder
	plain  bool // nothing is unknown
	splits bool // it may become several arguments, or none
	brace  bool
	known  bool // no unknown part so far
	prefix string
}

// unknown notes a part that is known only at run time.
func (r *reading) unknown(splits bool) {
	if r.known {
		r.prefix, r.known = r.text.String(), false
	}
	r.plain = false
	r.splits = r.splits || splits
}

// word reads w, and everything that it would run.
func (s *scan) word(w *syntax.Word) word {
	if w == nil {
		return word{plain: true}
	}
	if w.Lit() == "[" {
		return word{text: "[", plain: true} // the program, not a pattern
	}
	r := &reading{plain: true, known: true}
	for _, part := range w.Parts {
		s.piece(part, r)
	}
	if r.known {
		r.prefix = r.text.String()
	}
	out := word{text: r.text.String(), plain: r.plain}
	out.tilde = strings.HasPrefix(w.Lit(), "~") || len(w.Parts) > 0 && startsTilde(w.Parts[0])
	if out.tilde && !(out.text == "~" || strings.HasPrefix(out.text, "~/")) {
		out.plain = false // somebody else's home, or the directory before
	}
	if first := strings.HasPrefix(out.text, "~"); first && !out.tilde {
		out.text = "./" + out.text // a quoted ~ is a name
	}
	out.held = !r.splits && !r.brace && r.prefix != "" && r.prefix[0] != '-'
	return out
}

func startsTilde(p syntax.WordPart) bool {
	l, ok := p.(*syntax.Lit)
	return ok && strings.HasPrefix(l.Value, "~")
}

func (s *scan) piece(part syntax.WordPart, r *reading) {
	switch p := part.(type) {
	case *syntax.Lit:
		literal(p.Value, r)
	case *syntax.SglQuoted:
		if p.Dollar && strings.Contains(p.Value, `\`) {
			r.unknown(false)
			return
		}
		r.text.WriteString(p.Value)
	case *syntax.DblQuoted:
		s.quoted(p, r)
	case *syntax.ParamExp:
		s.parameter(p)
		r.unknown(true)
	case *syntax.CmdSubst:
		s.substitution(p)
		r.unknown(true)
	case *syntax.ArithmExp:
		s.arithmetic(p.X)
		r.unknown(false)
	case *syntax.ProcSubst:
		if p.Op != syntax.CmdIn {
			s.puzzled("a process that is written to", "it is syntax that is not followed")
		}
		s.stmts(p.Stmts)
		r.text.WriteString("/dev/fd/")
		r.unknown(false)
	default: // extended globs and what is not known
		r.unknown(true)
	}
}

// literal reads unquoted text.
func literal(v string, r *reading) {
	for i := 0; i < len(v); i++ {
		switch c := v[i]; c {
		case '\\':
			if i++; i < len(v) && v[i] != '\n' {
				r.text.WriteByte(v[i])
			}
		case '*', '?', '[':
			r.unknown(false)
			r.text.WriteByte(c)
		case '{':
			r.brace = r.brace || strings.ContainsAny(v[i:], ",") || strings.Contains(v[i:], "..")
			if r.brace {
				r.unknown(true)
			}
			r.text.WriteByte(c)
		default:
			r.text.WriteByte(c)
		}
	}
}

func (s *scan) quoted(q *syntax.DblQuoted, r *reading) {
	if q.Dollar {
		r.unknown(false)
	}
	for _, part := range q.Parts {
		switch p := part.(type) {
		case *syntax.Lit:
			doubleQuoted(p.Value, r)
		case *syntax.ParamExp:
			s.parameter(p)
			r.unknown(p.Param != nil && p.Param.Value == "@") // "$@" is several
		case *syntax.CmdSubst:
			s.substitution(p)
			r.unknown(false)
		case *syntax.ArithmExp:
			s.arithmetic(p.X)
			r.unknown(false)
		default:
			s.puzzled("a word", "it is syntax that is not known")
			r.unknown(true)
		}
	}
}

// doubleQuoted reads text between double quotation marks.
func doubleQuoted(v string, r *reading) {
	for i := 0; i < len(v); i++ {
		if v[i] == '\\' && i+1 < len(v) && strings.IndexByte("$`\"\\\n", v[i+1]) >= 0 {
			if i++; v[i] != '\n' {
				r.text.WriteByte(v[i])
			}
			continue
		}
		r.text.WriteByte(v[i])
	}
}

func (s *scan) substitution(c *syntax.CmdSubst) {
	if c.TempFile || c.ReplyVar {
		s.puzzled("a command within a word", "it is syntax that is not known")
		return
	}
	s.stmts(c.Stmts)
}

// parameter reads $x. Forms that evaluate what stands in a variable, or that
// set one, are not read.
func (s *scan) parameter(p *syntax.ParamExp) {
	odd := p.Param == nil || p.NestedParam != nil || p.Flags != nil || p.Excl || p.Width || p.IsSet || p.Index != nil || p.Slice != nil || p.Names != 0 || len(p.Modifiers) > 0
	if p.Exp != nil {
		switch p.Exp.Op {
		case syntax.AssignUnset, syntax.AssignUnsetOrNull, syntax.ErrorUnset, syntax.ErrorUnsetOrNull, syntax.OtherParamOps:
			odd = true
		}
		s.word(p.Exp.Word)
	}
	if p.Repl != nil {
		s.word(p.Repl.Orig)
		s.word(p.Repl.With)
	}
	if odd {
		s.puzzled("a variable", "it is syntax that may evaluate what stands in it")
	}
}

// arithmetic reads what stands in $((…)): a name there is evaluated, and could
// run a command.
func (s *scan) arithmetic(x syntax.ArithmExpr) {
	switch x := x.(type) {
	case *syntax.Word:
		if w := s.word(x); !w.plain || strings.Trim(w.text, "0123456789") != "" {
			s.puzzled("a calculation", "it may evaluate what stands in a variable")
		}
	case *syntax.BinaryArithm:
		s.enter(func() { s.arithmetic(x.X); s.arithmetic(x.Y) })
	case *syntax.UnaryArithm:
		s.enter(func() { s.arithmetic(x.X) })
	case *syntax.ParenArithm:
		s.enter(func() { s.arithmetic(x.X) })
	default:
		s.puzzled("a calculation", "it is syntax that is not known")
	}
}
