package secret

import "strings"

// Stream masks a text that comes in pieces. What may be the beginning of a value
// is kept back until it is known to be none. It may be used by one goroutine.
type Stream struct {
	set  *Set
	rest string // came and was not handed on
}

// Stream returns a stream with nothing in it.
func (s *Set) Stream() *Stream { return &Stream{set: s} }

// Next takes a piece and returns what of the text so far can be shown.
func (t *Stream) Next(piece string) string {
	t.rest += piece
	return t.upTo(t.set.settled(t.rest))
}

// End returns what is left.
func (t *Stream) End() string { return t.upTo(len(t.rest)) }

func (t *Stream) upTo(n int) string {
	out := t.set.Mask(t.rest[:n])
	t.rest = t.rest[n:]
	return out
}

// settled returns how much of a text stays as it is, whatever follows.
func (s *Set) settled(text string) int {
	if s == nil {
		return len(text)
	}
	n := len(text)
	for _, f := range s.forms {
		for k := min(len(f.text)-1, len(text)); k > len(text)-n; k-- {
			if strings.HasSuffix(text, f.text[:k]) {
				n = len(text) - k
				break
			}
		}
	}
	all := s.spans(text)
	for i := len(all) - 1; i >= 0; i-- { // the later ones may begin before the earlier ones end
		if all[i].from < n && n < all[i].to {
			n = all[i].from
		}
	}
	return n
}
