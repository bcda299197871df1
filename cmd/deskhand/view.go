package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/plaintext"
	"github.com/deskhand/deskhand/transcript"
)

// view shows a task to somebody. It is fed with events and nothing else.
type view interface {
	// event takes the next event.
	event(e deskhand.Event) error
	// end is told how the task stands when no more events come.
	end(t deskhand.Task)
	// close gives the terminal back.
	close()
}

// textView tells the story in a terminal while it happens.
type textView struct {
	screen *screen
	story  *transcript.Story
	live   bool // the task is driven by this program, which says on its own why it failed

	turn     int
	streamed strings.Builder // of the reply that is coming in, as the model wrote it
	attempt  int
	total    deskhand.Usage
	cost     float64
	lastSaid string
	begun    bool // the task's own words have gone by
	typist   *typist
}

func newTextView(out io.Writer, env func(string) string) *textView {
	return &textView{screen: newScreen(out, env), story: transcript.New()}
}

func (v *textView) close() {
	v.typist.Close()
	v.screen.Close()
}

// hear takes lines that a person types while the task is shown, where there is
// a terminal on both sides.
func (v *textView) hear(in io.Reader, say func(line string) error) {
	if v.typist = newTypist(in, v.screen, say); v.typist != nil {
		v.screen.Line(dim, "Type a line and press Enter to say something while it works; Ctrl-C stops it.")
	}
}

func (v *textView) event(e deskhand.Event) error {
	if err := v.story.Add(e); err != nil {
		return err
	}
	show, known := shows[e.Kind]
	if !known {
		return nil
	}
	return deskhand.E("show", deskhand.Invalid, show(v, e.Data))
}

var shows = map[deskhand.Kind]func(*textView, json.RawMessage) error{
	deskhand.KindTaskCreated:    shower((*textView).created),
	deskhand.KindTaskStatus:     shower((*textView).status),
	deskhand.KindTurnStarted:    shower((*textView).turnStarted),
	deskhand.KindModelDelta:     shower((*textView).delta),
	deskhand.KindModelReplied:   shower((*textView).replied),
	deskhand.KindModelFailed:    shower((*textView).failed),
	deskhand.KindCallStarted:    shower((*textView).callStarted),
	deskhand.KindCallFinished:   shower((*textView).callFinished),
	deskhand.KindModelConsulted: shower((*textView).consulted),
	deskhand.KindApprovalAsked:  shower((*textView).question),
	deskhand.KindApprovalDecided: shower(func(v *textView, d deskhand.Decision) {
		v.screen.Line(dim, "  · "+transcript.DecisionText(d))
	}),
	deskhand.KindBudgetNear:     shower(func(v *textView, d deskhand.BudgetNear) { v.remark(d.Text) }),
	deskhand.KindBudgetRaised:   shower(func(v *textView, d deskhand.BudgetRaised) { v.remark(transcript.RaisedText(d)) }),
	deskhand.KindBudgetReached:  shower(func(v *textView, d deskhand.BudgetReached) { v.remark(d.Text) }),
	deskhand.KindStuckNoticed:   shower(func(v *textView, d deskhand.StuckNoticed) { v.remark(d.Text) }),
	deskhand.KindOutcomeChecked: shower((*textView).checked),
	deskhand.KindNetworkJudged:  shower((*textView).network),
	deskhand.KindFileChanged:    shower(func(v *textView, d deskhand.FileChanged) { v.remark(transcript.FilesChanged(d)) }),
	deskhand.KindFileReviewed:   shower(func(v *textView, d deskhand.FileReviewed) { v.remark(transcript.FilesReviewed(d)) }),
	deskhand.KindNote:           shower(func(v *textView, d deskhand.Note) { v.screen.Line(dim, "  · "+plaintext.Line(d.Text)) }),
	deskhand.KindHumanMessage:   shower((*textView).said),
	deskhand.KindHumanAsked:     shower((*textView).asked),
	deskhand.KindJournalCut: shower(func(v *textView, d deskhand.JournalCut) {
		v.remark(fmt.Sprintf("Events %d to %d were lost with a damaged database.", d.From, d.To))
	}),
}

// shower decodes an event's data before f shows it.
func shower[D any](f func(*textView, D)) func(*textView, json.RawMessage) error {
	return func(v *textView, raw json.RawMessage) error {
		var d D
		if err := json.Unmarshal(raw, &d); err != nil {
			return err
		}
		f(v, d)
		return nil
	}
}

// network shows what was reached; what was refused is told as a note.
func (v *textView) network(d deskhand.NetworkJudged) {
	if text := transcript.Network(d); text != "" {
		v.screen.Line(dim, "  · "+text)
	}
}

func (v *textView) created(d deskhand.TaskCreated) {
	t := d.Task
	v.screen.Line(bold, plaintext.Block(strings.TrimSpace(t.Text)))
	v.screen.Line(dim, plaintext.Line(fmt.Sprintf("task %s · %s · %s · sandbox %s · permission %s",
		v.story.Task.ID, t.Model, t.Screen, t.Sandbox, t.Permission)))
}

func (v *textView) status(d deskhand.TaskStatus) {
	if d.To == deskhand.Running {
		v.screen.Busy("starting the desktop")
	}
}

// said shows what a person says later than the task itself.
func (v *textView) said(d deskhand.HumanMessage) {
	if v.begun {
		v.screen.Line(bold, "  > "+plaintext.Block(strings.TrimSpace(d.Text)))
	}
	v.begun = true
}

// question shows what a person is asked about a call.
func (v *textView) question(q deskhand.ApprovalAsked) {
	v.screen.Busy("")
	lines := transcript.Question(q)
	v.screen.Line(plain, "")
	v.screen.Line(yellow, "  ? "+lines[0])
	for _, line := range lines[1:] {
		v.screen.Line(plain, "    "+line)
	}
}

func (v *textView) asked(d deskhand.HumanAsked) {
	v.screen.Line(dim, plaintext.Line("  · asked to "+d.For))
}

// past takes what happened before this view began, without showing it.
func (v *textView) past(e deskhand.Event) error {
	v.begun = true
	var d deskhand.ModelReplied
	if e.Kind == deskhand.KindModelReplied && json.Unmarshal(e.Data, &d) == nil {
		v.total, v.cost = v.total.Add(d.Usage), v.cost+d.CostUSD
	}
	return v.story.Add(e)
}

func (v *textView) turnStarted(d deskhand.TurnStarted) {
	v.turn, v.attempt = d.Turn, 0
	v.streamed.Reset()
	v.screen.Busy("thinking")
}

// delta shows a piece of a reply. A reply that starts over is shown from its
// beginning again, with a word about it.
func (v *textView) delta(d deskhand.ModelDelta) {
	if d.Attempt != v.attempt {
		if v.streamed.Len() > 0 {
			v.remark("The reply broke off and starts again.")
			v.streamed.Reset()
		}
		v.attempt = d.Attempt
	}
	if d.Text != "" {
		if v.streamed.Len() == 0 {
			v.screen.Line(plain, "")
		}
		v.streamed.WriteString(d.Text)
		v.screen.Stream(plaintext.Block(d.Text))
	}
}

// replied completes what was streamed: pieces may have been lost on the way,
// and a stored task has none.
func (v *textView) replied(d deskhand.ModelReplied) {
	text := transcript.Text(d.Content)
	v.lastSaid = text
	rest, continues := strings.CutPrefix(text, v.streamed.String())
	switch {
	case v.streamed.Len() == 0 && text != "":
		v.screen.Line(plain, "")
		v.screen.Stream(plaintext.Block(text))
	case continues:
		v.screen.Stream(plaintext.Block(rest))
	case strings.ReplaceAll(v.streamed.String(), "\n", "") != strings.ReplaceAll(text, "\n", ""):
		v.screen.Line(plain, plaintext.Block("…"))
		v.screen.Stream(plaintext.Block(text))
	}
	v.streamed.Reset()
	v.total, v.cost = v.total.Add(d.Usage), v.cost+d.CostUSD
	v.screen.Action(dim, fmt.Sprintf("  turn %d · %s", d.Turn, transcript.Meter(&d)), " · total "+transcript.Dollars(v.cost))
	v.screen.Busy("")
}

// consulted shows a request beside the conversation, which costs like the others.
func (v *textView) consulted(d deskhand.ModelConsulted) {
	v.total, v.cost = v.total.Add(d.Usage), v.cost+d.CostUSD
	v.screen.Action(dim, "  · "+transcript.ConsultedText(d), " · total "+transcript.Dollars(v.cost))
}

// checkedStyle is the colour of a finding.
var checkedStyle = map[deskhand.Finding]style{deskhand.Verified: green, deskhand.NotVerified: yellow, deskhand.Refuted: red}

func (v *textView) checked(d deskhand.OutcomeChecked) {
	v.screen.Busy("")
	v.screen.Line(plain, "")
	for _, c := range d.Items {
		v.screen.Line(checkedStyle[c.Finding], "  "+transcript.CheckedText(c))
	}
	if d.Again {
		v.remark("The model is told, and goes on.")
	}
}

func (v *textView) failed(d deskhand.ModelFailed) {
	v.remark(transcript.FailureText(d))
	if d.RetryMS > 0 {
		v.screen.Busy("waiting to try again")
	}
}

func (v *textView) callStarted(d deskhand.CallStarted) {
	v.screen.Busy(transcript.Human(d.Call))
}

func (v *textView) callFinished(d deskhand.CallFinished) {
	human := "call"
	if c := v.story.Call(d.CallID); c != nil {
		human = transcript.Human(c.Call)
	}
	v.screen.Busy("")
	tail := " · " + transcript.Seconds(time.Duration(d.DurationMS)*time.Millisecond)
	if !d.Result.IsError {
		v.screen.Action(cyan, "  → "+human, tail)
		return
	}
	v.screen.Action(red, "  ✗ "+human, tail)
	for _, c := range d.Result.Content {
		if c.Text != "" {
			v.screen.Action(red, "    "+plaintext.Line(c.Text), "")
			break
		}
	}
}

func (v *textView) remark(text string) { v.screen.Line(yellow, "  ! "+plaintext.Line(text)) }

// endWords says how a task ended, with the colour that fits.
var endWords = map[deskhand.Status]style{
	deskhand.Done: green, deskhand.Failed: red, deskhand.Stopped: yellow, deskhand.Exhausted: yellow, deskhand.Waiting: yellow,
}

func (v *textView) end(t deskhand.Task) {
	v.screen.Busy("")
	v.screen.Line(plain, "")
	if t.Result != "" && strings.TrimSpace(t.Result) != strings.TrimSpace(v.lastSaid) {
		v.screen.Line(plain, plaintext.Block(t.Result))
	}
	status := string(t.Status)
	if t.Status == deskhand.Done {
		status += " · " + transcript.FindingWords(transcript.Found(t))
	}
	line := fmt.Sprintf("%s · %s · %s · %s · %s · %s", status, plural(t.Turns, "turn"), plural(t.Calls, "call"),
		transcript.Tokens(t.Usage), transcript.Dollars(t.CostUSD), transcript.Seconds(t.Updated.Sub(t.Created)))
	v.screen.Line(endWords[t.Status], line)
	if v.story.Reason != "" && t.Status != deskhand.Done && !(v.live && t.Status == deskhand.Failed) {
		v.screen.Line(plain, plaintext.Line(v.story.Reason))
	}
	if q := v.story.Asked; q != nil && t.Status == deskhand.Waiting {
		v.screen.Line(plain, fmt.Sprintf("deskhand task answer %s yes (or no, task, always; --comment TEXT tells the model something) goes on with it.", t.ID))
	}
	if t.Forget && (t.Status.Ended() || t.Status == deskhand.Running) {
		v.screen.Line(dim, "Nothing of this task is kept.")
		return
	}
	v.screen.Line(dim, fmt.Sprintf("deskhand task export %s writes every step and screenshot as one page.", t.ID))
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
