package local

import (
	"context"
	"sync"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/engine"
	"github.com/deskhand/deskhand/store"
	"github.com/deskhand/deskhand/tool"
)

// computer is a Computer that may be closed any number of times, by anybody.
type computer struct {
	engine.Computer
	close func() error
	gone  <-chan struct{} // closed when it has ended by itself; nil: it never says
}

func newComputer(c engine.Computer) *computer {
	own := &computer{Computer: c, close: sync.OnceValue(c.Close)}
	if m, ok := c.(engine.Mortal); ok {
		own.gone = m.Gone()
	}
	return own
}

// lost reports whether the computer has ended.
func (c *computer) lost() bool { return isClosed(c.gone) }

func (c *computer) survived() bool {
	s, ok := c.Computer.(engine.Survivor)
	return ok && s.Survived()
}

// look returns what the computer shows, its pictures stored. A computer that
// cannot be seen shows nothing: the model will find out by itself.
func (c *computer) look(ctx context.Context, blobs store.Blobs) ([]deskhand.Content, error) {
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	var out []deskhand.Content
	for _, t := range c.Tools().All() {
		o, ok := t.(tool.Observer)
		if !ok {
			continue
		}
		seen, err := o.Observe(ctx)
		if err != nil {
			continue
		}
		for _, content := range seen {
			if content.Image == nil && content.Text == "" {
				continue
			}
			if content.Image != nil {
				img := *content.Image
				if img.Hash, err = blobs.PutBlob(context.WithoutCancel(ctx), img.Data); err != nil {
					return nil, err
				}
				img.Data, content.Image = nil, &img
			}
			out = append(out, content)
		}
	}
	return out, nil
}
