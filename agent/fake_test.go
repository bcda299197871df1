package agent

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/tool"
)

// recorder is a tool that remembers what ran and answers as the script says.
type recorder struct {
	s    *script
	spec tool.Spec
}

func (r *recorder) Spec() tool.Spec { return r.spec }

func (r *recorder) Run(ctx context.Context, c deskhand.Call) (deskhand.Result, error) {
	name := c.Name
	if c.Toolset != "" {
		name = c.Toolset + "." + c.Name
	}
	r.s.intended(c)
	r.s.ran = append(r.s.ran, name)
	return r.s.answer(ctx, name, "text ok")
}

// intended checks that the intent is in the journal before the effect.
func (s *script) intended(c deskhand.Call) {
	for _, e := range s.journal.events {
		if e.Kind == deskhand.KindCallStarted && strings.Contains(string(e.Data), fmt.Sprintf("%q", c.ID)) {
			return
		}
	}
	s.t.Errorf("call %s ran before its intent was recorded", c.ID)
}

// observing is a recorder that can show its world.
type observing struct{ *recorder }

func (o observing) Observe(ctx context.Context) ([]deskhand.Content, error) {
	r, err := o.s.answer(ctx, "observe", "nothing")
	return r.Content, err
}

func (s *script) answer(ctx context.Context, name, standard string) (deskhand.Result, error) {
	answer, ok := s.answers[name]
	if !ok {
		answer = standard
	}
	word, rest, _ := strings.Cut(answer, " ")
	s.clock = s.clock.Add(5 * time.Millisecond)
	picture := deskhand.Content{Image: &deskhand.Image{MediaType: "image/png", Size: deskhand.Size{W: 1, H: 1}, Data: []byte("picture " + rest)}}
	switch word {
	case "text":
		return deskhand.Text(rest), nil
	case "none": // a click that drew nothing
		return deskhand.Result{Content: deskhand.Text(rest).Content, Effect: deskhand.EffectNone}, nil
	case "some":
		return deskhand.Result{Content: deskhand.Text(rest).Content, Effect: deskhand.EffectSome}, nil
	case "slow":
		s.clock = s.clock.Add(3 * time.Second)
		return deskhand.Text(rest), nil
	case "look":
		return deskhand.Result{Content: []deskhand.Content{picture}, Effect: deskhand.EffectLook}, nil
	case "look-new", "new": // something else each time
		s.pictures++
		picture.Image.Data = fmt.Appendf(nil, "picture %d", s.pictures)
		r := deskhand.Result{Content: []deskhand.Content{{Text: "Clicked."}, picture}, Effect: deskhand.EffectSome}
		if word == "look-new" {
			r = deskhand.Result{Content: []deskhand.Content{picture}, Effect: deskhand.EffectLook}
		}
		return r, nil
	case "nothing":
		return deskhand.Result{}, nil
	case "picture":
		return deskhand.Result{Content: []deskhand.Content{picture}}, nil
	case "error":
		return deskhand.Failure(rest), nil
	case "error-picture": // which the API would refuse
		return deskhand.Result{Content: []deskhand.Content{picture, {Text: ""}}, IsError: true}, nil
	case "broken":
		return deskhand.Result{}, deskhand.Errorf("sandbox", deskhand.Unavailable, "the sandbox is gone")
	case "panic":
		panic("a defect")
	case "stop": // the person stops the task while this call runs
		s.cancel(errors.New("The person said stop."))
		return deskhand.Result{}, ctx.Err()
	case "stop-late": // … but it came to its end
		s.cancel(errors.New("The person said stop."))
		return deskhand.Text("ok"), nil
	}
	s.t.Fatalf("unknown answer %q", answer)
	return deskhand.Result{}, nil
}

// look is the next look at the task's criteria.
func (s *script) look(ctx context.Context, t deskhand.Task, ask Ask) ([]deskhand.Checked, error) {
	if len(s.checks) == 0 {
		s.t.Fatal("a check that the script does not have")
	}
	lines := s.checks[0]
	s.checks = s.checks[1:]
	var out []deskhand.Checked
	for i, c := range t.Criteria {
		line := lines[i]
		if line == "broken" {
			return nil, errors.New("The disk is gone.")
		}
		rest, asks := strings.CutPrefix(line, "ask ")
		if asks {
			req := model.Request{System: "judge", Messages: []model.Message{{Role: model.User, Blocks: []model.Block{{Text: c.Want}}}}}
			if _, err := ask(ctx, "a look", req); err != nil {
				s.checks = append([][]string{lines}, s.checks...) // it is made again
				return nil, err
			}
		}
		finding, evidence, _ := strings.Cut(rest, " ")
		item := deskhand.Checked{Criterion: c, Finding: deskhand.Finding(finding), Evidence: evidence}
		if asks {
			item.Image = &deskhand.Image{MediaType: "image/png", Size: deskhand.Size{W: 1, H: 1}, Data: []byte("the screen")}
		}
		out = append(out, item)
	}
	return out, nil
}

// journal keeps events in memory, and can be made to fail.
type journal struct {
	events []deskhand.Event
	fail   func(e deskhand.Event) error
}

func (j *journal) Append(ctx context.Context, events ...deskhand.Event) ([]deskhand.Event, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var out []deskhand.Event
	for _, e := range events {
		if j.fail != nil {
			if err := j.fail(e); err != nil {
				return nil, err
			}
		}
		e.Seq = int64(len(j.events) + len(out) + 1)
		out = append(out, e)
	}
	j.events = append(j.events, out...)
	return out, nil
}

func (j *journal) Events(_ context.Context, _ deskhand.TaskID, after int64) iter.Seq2[deskhand.Event, error] {
	return func(yield func(deskhand.Event, error) bool) {
		for _, e := range j.events[min(after, int64(len(j.events))):] {
			if !yield(e, nil) {
				return
			}
		}
	}
}

type blobs map[deskhand.Hash][]byte

func (b blobs) PutBlob(_ context.Context, data []byte) (deskhand.Hash, error) {
	h := deskhand.HashOf(data)
	b[h] = data
	return h, nil
}

func (b blobs) Blob(_ context.Context, h deskhand.Hash) ([]byte, error) { return b[h], nil }
