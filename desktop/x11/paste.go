package x11

import (
	"context"
	"strings"
	"time"

	"github.com/deskhand/deskhand/internal/keysym"
	"github.com/deskhand/deskhand/internal/xwire"
)

const (
	pasteLimit = 8 * time.Second // for the program to fetch what it was told to paste; on a loaded machine xterm took over one
	pasteMost  = 16 << 10        // characters pasted at once, at most 64 KB: no transfer in pieces
)

// paster pastes what does not fit on the keyboard, for programs that do not
// tell when they have read it. See docs/decisions.
type paster struct {
	*hands
	saved map[uint32]string // selection → text before
	tried bool              // the program does not paste
}

// some pastes the leading symbols up to a newline, tab or pasteMost and returns
// how many it pasted: 0 when the program with the focus does not paste.
//
// Shift+Insert is what terminals and text fields have in common. Terminals take
// PRIMARY, others CLIPBOARD, so both are set. The program fetching the text is
// the proof that it has read every key before.
func (p *paster) some(ctx context.Context, window uint32, syms []keysym.Sym) (int, error) {
	text, n := leading(syms)
	if p.tried || n == 0 || window == 0 {
		return 0, nil
	}
	if err := p.save(ctx); err != nil {
		return 0, err
	}
	if err := p.clip.own(ctx, text, p.atoms["CLIPBOARD"], atomPrimary); err != nil {
		return 0, err
	}
	p.clip.forgetFetches()
	if err := p.shiftInsert(ctx); err != nil {
		return 0, err
	}
	ok, err := p.clip.fetchedBy(ctx, window, pasteLimit)
	if err != nil {
		return 0, err
	}
	if !ok {
		p.tried = true
		// Should it come round to it yet, it must not get what is typed by then.
		return 0, p.clip.own(ctx, "", p.atoms["CLIPBOARD"], atomPrimary)
	}
	return n, nil
}

// leading returns the text up to a newline, a tab or pasteMost characters.
func leading(syms []keysym.Sym) (text string, n int) {
	var b strings.Builder
	for _, s := range syms[:min(len(syms), pasteMost)] {
		if s == keyReturn || s == keyTab {
			break
		}
		b.WriteRune(s.Rune())
		n++
	}
	return b.String(), n
}

// save remembers the text of the selections, once.
func (p *paster) save(ctx context.Context) error {
	if p.saved != nil {
		return nil
	}
	p.saved = map[uint32]string{}
	for _, s := range []uint32{p.atoms["CLIPBOARD"], atomPrimary} {
		text, err := p.clip.text(ctx, s)
		if err != nil && failedForGood(ctx, err) {
			return err
		}
		p.saved[s] = text // an owner that does not answer had nothing to give
	}
	return nil
}

// restore puts the texts back as they were.
func (p *paster) restore(ctx context.Context) error {
	for s, text := range p.saved {
		if err := p.clip.own(ctx, text, s); err != nil {
			return err
		}
	}
	return nil
}

func (p *paster) shiftInsert(ctx context.Context) error {
	kb, err := p.keyboard(ctx)
	if err != nil {
		return err
	}
	chord, err := p.strokes(ctx, kb, []keysym.Sym{keyShift, keyInsert})
	if err != nil {
		return err
	}
	var b xwire.Batch
	undo := p.neutral(&b, kb, nil)
	p.chordDown(&b, kb, chord)
	p.lift(&b)
	undo(&b)
	return p.round(ctx, &b)
}

func (c *clipboard) forgetFetches() {
	for {
		select {
		case <-c.fetches:
		default:
			return
		}
	}
}

// fetchedBy reports whether the program of window fetches a selection before
// the limit.
func (c *clipboard) fetchedBy(ctx context.Context, window uint32, limit time.Duration) (bool, error) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		select {
		case w := <-c.fetches:
			if c.conn.Setup.SameClient(w, window) {
				return true, nil
			}
		case <-timer.C:
			return false, nil
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case <-c.conn.Done():
			return false, xwire.ErrClosed
		}
	}
}
