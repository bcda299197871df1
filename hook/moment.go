package hook

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/plaintext"
)

// Version is that of the form of Moment.
const Version = 1

// maxText bounds the text of a result that hooks are told, in characters.
const maxText = 4096

// Moment is what a hook is told, as one object of JSON.
type Moment struct {
	Version  int               `json:"version"`
	Point    Point             `json:"point"`
	Task     TaskInfo          `json:"task"`
	Call     *CallInfo         `json:"call,omitempty"`     // before_call, after_call; question when it is about one
	Verdict  *deskhand.Verdict `json:"verdict,omitempty"`  // likewise
	Result   *ResultInfo       `json:"result,omitempty"`   // after_call
	Question *Asked            `json:"question,omitempty"` // question
	End      *Ended            `json:"end,omitempty"`      // end
}

// TaskInfo is what a hook is told of a task.
type TaskInfo struct {
	ID         deskhand.TaskID `json:"id"`
	Text       string          `json:"text"`
	Model      string          `json:"model"`
	Permission string          `json:"permission"`
	Sandbox    string          `json:"sandbox"`
	Turns      int             `json:"turns"`
	Calls      int             `json:"calls"`
	CostUSD    float64         `json:"cost_usd"`
}

// CallInfo is a call. Tool is its name as the patterns of a file have it.
type CallInfo struct {
	Tool string `json:"tool"`
	deskhand.Call
}

// ResultInfo is what came of a call, in short.
type ResultInfo struct {
	IsError   bool            `json:"is_error"`
	Text      string          `json:"text"` // at most 4096 characters
	Truncated bool            `json:"truncated,omitempty"`
	Pictures  int             `json:"pictures"`
	Effect    deskhand.Effect `json:"effect,omitempty"`
}

func moment(p Point, t deskhand.Task) Moment {
	return Moment{Version: Version, Point: p, Task: TaskInfo{
		ID: t.ID, Text: t.Text, Model: t.Model, Permission: t.Permission, Sandbox: t.Sandbox, Turns: t.Turns, Calls: t.Calls, CostUSD: t.CostUSD,
	}}
}

// callOf returns a call whose input can be written: one that is no JSON becomes a text.
func callOf(c deskhand.Call) *CallInfo {
	if !json.Valid(c.Input) {
		c.Input, _ = json.Marshal(string(c.Input)) // a text can always be written
	}
	return &CallInfo{toolName(c), c}
}

func resultOf(r deskhand.Result) *ResultInfo {
	info := ResultInfo{IsError: r.IsError, Effect: r.Effect}
	var texts []string
	for _, c := range r.Content {
		if c.Image != nil {
			info.Pictures++
		} else {
			texts = append(texts, c.Text)
		}
	}
	whole := strings.Join(texts, "\n")
	info.Text = plaintext.Prefix(whole, maxText)
	info.Truncated = len(info.Text) < len(whole)
	return &info
}

// encode returns m as one line, as it is: nothing is escaped for HTML.
func (m Moment) encode() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(m)
	return b.Bytes(), err
}
