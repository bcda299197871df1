package guard

import (
	"context"

	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/secret"
)

// Model returns m with every value masked in what it streams, also one that
// comes in pieces. The reply itself stays what the API sent: Store masks it.
func Model(m model.Model, s *secret.Set) model.Model {
	if m == nil || len(s.Names()) == 0 {
		return m
	}
	return discreet{m, s}
}

type discreet struct {
	model.Model
	secrets *secret.Set
}

// Reply implements model.Model.
func (d discreet) Reply(ctx context.Context, req model.Request, on func(model.Delta)) (model.Reply, error) {
	if on == nil {
		return d.Model.Reply(ctx, req, nil)
	}
	text, thinking := d.secrets.Stream(), d.secrets.Stream()
	say := func(d model.Delta) {
		if d != (model.Delta{}) {
			on(d)
		}
	}
	reply, err := d.Model.Reply(ctx, req, func(piece model.Delta) {
		say(model.Delta{Text: text.Next(piece.Text), Thinking: thinking.Next(piece.Thinking)})
	})
	say(model.Delta{Text: text.End(), Thinking: thinking.End()})
	return reply, err
}
