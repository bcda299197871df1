package evidence

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/model"
)

//go:embed look.md
var looker string

// verdictTool is how the model that looks answers.
const verdictTool = `{"name":"verdict","description":"Say whether the screenshot shows that the statement is true.","input_schema":{"type":"object","properties":{"answer":{"type":"string","enum":["yes","no","unclear"]},"evidence":{"type":"string","description":"What in the screenshot says so, in one or two sentences."}},"required":["answer","evidence"],"additionalProperties":false}}`

// answers are what the model that looks may say. Anything else is unclear.
var answers = map[string]deskhand.Finding{
	"yes": deskhand.Verified, "no": deskhand.Refuted, "unclear": deskhand.NotVerified,
}

// lookThroughModel shows the screen and the criterion to a model that knows
// nothing of what was done: no history, no claim, no tool but its answer.
func lookThroughModel(ctx context.Context, s *scene, want string) (found, error) {
	if s.place.Ask == nil {
		return found{}, unavailable("no model can be asked here")
	}
	if err := s.look(ctx); err != nil {
		return found{}, err
	}
	reply, err := s.place.Ask(ctx, "an independent look at the screen", model.Request{
		System: strings.TrimSpace(looker), Tools: []json.RawMessage{json.RawMessage(verdictTool)},
		Messages: []model.Message{{Role: model.User, Blocks: []model.Block{
			{Text: "The statement: " + want}, {Image: s.picture},
		}}},
	})
	var failed *model.Error
	switch {
	case errors.As(err, &failed):
		return found{}, unavailable("%s", failed.Message)
	case err != nil:
		return found{}, &refusal{err}
	}
	finding, says := verdictOf(reply)
	return found{finding: finding, evidence: says, screen: true}, nil
}

// verdictOf reads the answer: one call of the one tool, in the one form.
func verdictOf(reply model.Reply) (deskhand.Finding, string) {
	const unread = "The model that looked gave no answer in the form asked for."
	if len(reply.Calls) != 1 || reply.Calls[0].Name != "verdict" || reply.Calls[0].Toolset != "" {
		return deskhand.NotVerified, unread
	}
	var in struct {
		Answer   string `json:"answer"`
		Evidence string `json:"evidence"`
	}
	if json.Unmarshal(reply.Calls[0].Input, &in) != nil {
		return deskhand.NotVerified, unread
	}
	finding, ok := answers[in.Answer]
	if !ok {
		return deskhand.NotVerified, unread
	}
	return finding, fmt.Sprintf("A model that did not act says %s: %s", in.Answer, in.Evidence)
}
