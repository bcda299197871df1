package x11

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/keysym"
	"github.com/deskhand/deskhand/internal/xwire"
)

// spareLevels is how many symbols go on one spare key at most: plain, with
// Shift, with AltGr, with both.
const spareLevels = 4

// spares are keys that the layout leaves blank and that carry other symbols
// for typing. They keep them from one text to the next: programs look a
// keycode up when they come to it, which may be late, so a key is given
// another symbol only after the programs have read what was typed on it.
type spares struct {
	slots []slot
	texts uint64 // texts typed so far
}

// slot is one symbol on one level of a spare key.
type slot struct {
	code   byte
	level  int
	sym    keysym.Sym
	used   uint64 // the text that used it last
	unread bool   // typed since programs were last known to have caught up
}

// adopt drops slots that somebody else has overwritten, as a new layout does.
func (s *spares) adopt(kb *keyboard) {
	s.slots = slices.DeleteFunc(s.slots, func(x slot) bool {
		k := kb.key(x.code)
		return k == nil || k.sym(0, x.level) != x.sym
	})
}

// free lists the places on blank keys, and beside our own symbols.
func (s *spares) free(kb *keyboard) (places []slot) {
	_, levels := kb.spareType()
	ours := map[byte][spareLevels]bool{}
	for _, x := range s.slots {
		taken := ours[x.code]
		taken[x.level] = true
		ours[x.code] = taken
	}
	for level := range levels {
		for i := range kb.keys {
			code := kb.first + byte(i)
			taken, own := ours[code]
			if own && !taken[level] || !own && kb.keys[i].blank() {
				places = append(places, slot{code: code, level: level})
			}
		}
	}
	return places
}

// capacity is how many symbols fit on spare keys altogether.
func (s *spares) capacity(kb *keyboard) int { return len(s.free(kb)) + len(s.slots) }

// missing lists the symbols that the keyboard lacks, each once.
func missing(kb *keyboard, syms []keysym.Sym) (out []keysym.Sym) {
	seen := map[keysym.Sym]bool{}
	for _, x := range syms {
		if _, ok := kb.find(x); !ok && !seen[x] {
			seen[x] = true
			out = append(out, x)
		}
	}
	return out
}

// fitting returns how many of the leading symbols can be on the keyboard at
// once, at least 1.
func (s *spares) fitting(kb *keyboard, syms []keysym.Sym) int {
	s.adopt(kb)
	ours := map[keysym.Sym]bool{}
	for _, x := range s.slots {
		ours[x.sym] = true
	}
	room, foreign := s.capacity(kb), map[keysym.Sym]bool{}
	for i, x := range syms {
		if _, ok := kb.find(x); ok && !ours[x] || foreign[x] {
			continue
		}
		if len(foreign) == room {
			return max(i, 1)
		}
		foreign[x] = true
	}
	return len(syms)
}

// place puts the symbols that kb lacks on spare keys and brings kb up to date.
func (s *spares) place(ctx context.Context, h *hands, kb *keyboard, syms []keysym.Sym) error {
	s.adopt(kb)
	s.texts++
	s.touch(syms)
	lack := missing(kb, syms)
	if len(lack) == 0 {
		return nil
	}
	places := s.free(kb)
	if n := len(lack) - len(places); n > 0 {
		evicted, err := s.evict(ctx, h, n)
		if err != nil {
			return err
		}
		places = append(places, evicted...)
	}
	changed := map[byte]bool{}
	for i, x := range lack {
		p := places[i]
		s.slots = append(s.slots, slot{code: p.code, level: p.level, sym: x, used: s.texts, unread: true})
		changed[p.code] = true
	}
	if err := h.conn.Round(ctx, s.write(h, kb, changed)); err != nil {
		return err
	}
	now, err := h.keyboard(ctx)
	if err != nil {
		return err
	}
	*kb = *now
	if left := missing(kb, syms); len(left) > 0 {
		return deskhand.Errorf("x11: input", deskhand.Unavailable, "the keyboard did not take %d of the characters; another program changes it too", len(left))
	}
	return nil
}

// touch marks the slots that syms will be typed on.
func (s *spares) touch(syms []keysym.Sym) {
	at := make(map[keysym.Sym]int, len(s.slots))
	for i, x := range s.slots {
		at[x.sym] = i
	}
	for _, x := range syms {
		if i, ok := at[x]; ok {
			s.slots[i].used, s.slots[i].unread = s.texts, true
		}
	}
}

// crowded reports whether placing syms takes a key back that may not have been
// read yet.
func (s *spares) crowded(kb *keyboard, syms []keysym.Sym) bool {
	unread := slices.ContainsFunc(s.slots, func(x slot) bool { return x.unread })
	return unread && len(missing(kb, syms)) > len(s.free(kb))
}

// read takes note that programs have read everything typed so far.
func (s *spares) read() {
	for i := range s.slots {
		s.slots[i].unread = false
	}
}

// evict takes back the n slots whose text is longest ago, after programs have
// read what was typed on them.
func (s *spares) evict(ctx context.Context, h *hands, n int) ([]slot, error) {
	slices.SortStableFunc(s.slots, func(a, b slot) int { return cmp.Compare(a.used, b.used) })
	if n > len(s.slots) || s.slots[n-1].used == s.texts {
		return nil, deskhand.Errorf("x11: input", deskhand.Unavailable, "the keyboard has no room for %d more characters", n)
	}
	if slices.ContainsFunc(s.slots[:n], func(x slot) bool { return x.unread }) {
		if err := h.caughtUp(ctx); err != nil {
			return nil, err
		}
		s.read()
	}
	out := slices.Clone(s.slots[:n])
	s.slots = slices.Delete(s.slots, 0, n)
	return out, nil
}

// write returns the requests that bring keys in line with the slots; a key
// without slots becomes blank.
func (s *spares) write(h *hands, kb *keyboard, codes map[byte]bool) *xwire.Batch {
	var b xwire.Batch
	kind, levels := kb.spareType()
	sorted := slices.Sorted(maps.Keys(codes))
	for len(sorted) > 0 {
		run := 1 // neighbours share a request: each one makes every program read the map again
		for run < len(sorted) && sorted[run] == sorted[0]+byte(run) {
			run++
		}
		keys := make([][]keysym.Sym, run)
		for i, code := range sorted[:run] {
			keys[i] = s.levels(code, levels)
		}
		setKeys(&b, &h.conn.Setup, h.ext.xkb.op, sorted[0], kind, keys)
		sorted = sorted[run:]
	}
	return &b
}

// levels returns what is to be on a key, nil for nothing. Programs that know
// no XKB read a lone letter as the lower case of a pair, hence the second copy.
func (s *spares) levels(code byte, n int) (out []keysym.Sym) {
	for _, x := range s.slots {
		if x.code == code {
			if out == nil {
				out = make([]keysym.Sym, n)
			}
			out[x.level] = x.sym
		}
	}
	if out != nil && out[1] == 0 {
		out[1] = out[0]
	}
	return out
}

// restore makes the spare keys blank again, after programs have read what was
// typed on them.
func (s *spares) restore(ctx context.Context, h *hands) error {
	if len(s.slots) == 0 {
		return nil
	}
	if slices.ContainsFunc(s.slots, func(x slot) bool { return x.unread }) {
		if err := h.caughtUp(ctx); err != nil {
			return err
		}
	}
	codes := map[byte]bool{}
	for _, x := range s.slots {
		codes[x.code] = true
	}
	kb, err := h.keyboard(ctx)
	if err != nil {
		return err
	}
	s.slots = nil
	return h.conn.Round(ctx, s.write(h, kb, codes))
}
