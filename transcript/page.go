package transcript

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/plaintext"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

// WritePage writes the story as one HTML page that needs nothing else: pictures
// are inside it, it runs no script and may load nothing. blob returns the bytes
// of a picture; one that cannot be had is said in words in its place. t is the
// task as it stands now.
func WritePage(w io.Writer, s *Story, t deskhand.Task, blob func(deskhand.Hash) ([]byte, error)) error {
	page, err := template.New("page").Parse(pageHTML)
	if err != nil {
		return deskhand.E("export", deskhand.Internal, err)
	}
	p := pageOf(s, t, blob)
	return deskhand.E("export", "", page.Execute(w, p))
}

type pageData struct {
	CSS, Policy any
	Task        deskhand.Task
	Text        string
	State       string // one of the statuses, for the colour
	Reason      string
	Result      string
	Facts       [][2]string
	Turns       []turnData
}

type turnData struct {
	N     int
	Meta  string
	Items []itemData
}

type itemData struct {
	Said, Thinking, Message, Note, Trouble string
	Checks                                 []string // one line for each criterion that was looked at
	Seen                                   *figure  // the screen they were judged by, or what a question is about
	Asked                                  []string // what a person was asked, a line each
	Call                                   *callData
}

type callData struct {
	N        int
	Human    string
	Input    string // the whole input, indented
	Verdict  string
	Class    string // "ok", "error" or "open"
	Duration string
	Texts    []string
	Figures  []*figure
}

// figure is one picture, with what the model pointed at when it looked at it.
type figure struct {
	Src     template.URL
	Missing string
	Alt     string
	W, H, R int
	Marks   []Mark
	Next    []string // the calls that Marks belong to
}

func pageOf(s *Story, t deskhand.Task, blob func(deskhand.Hash) ([]byte, error)) pageData {
	sum := sha256.Sum256([]byte(pageCSS))
	p := pageData{
		CSS: template.CSS(pageCSS),
		Policy: "default-src 'none'; img-src data:; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
			"'; base-uri 'none'; form-action 'none'",
		Task: t, Text: plaintext.Block(t.Text), State: plaintext.Line(string(t.Status)),
		Reason: plaintext.Block(s.Reason), Result: plaintext.Block(t.Result), Facts: facts(s, t),
	}
	b := pageBuilder{blob: blob}
	for _, turn := range s.Turns {
		td := turnData{N: turn.N, Meta: Meter(turn.Reply)}
		for _, i := range turn.Items {
			if turn.N > 0 || i.Message != t.Text { // the task's own text stands at the top already
				td.Items = append(td.Items, b.item(i))
			}
		}
		if len(td.Items) > 0 || turn.N > 0 {
			p.Turns = append(p.Turns, td)
		}
	}
	return p
}

func facts(s *Story, t deskhand.Task) [][2]string {
	all := [][2]string{
		{"Task", string(t.ID)}, {"Model", t.Model}, {"Tools", t.Toolset}, {"Screen", t.Screen.String()},
		{"Sandbox", t.Sandbox}, {"Memory", t.Memory}, {"More tools", t.Tools}, {"Permission", t.Permission}, {"Started", t.Created.Format("2006-01-02 15:04:05 MST")},
		{"Took", Seconds(s.Ended.Sub(t.Created))}, {"Turns", fmt.Sprint(t.Turns)}, {"Calls", fmt.Sprint(t.Calls)},
		{"Tokens", Tokens(t.Usage)}, {"Cost", Dollars(t.CostUSD)}, {"Outcome", FindingWords(Found(t))},
	}
	var out [][2]string
	for _, f := range all {
		if f[1] != "" {
			out = append(out, [2]string{f[0], plaintext.Line(f[1])})
		}
	}
	return out
}

// pageBuilder remembers the screenshot the model sees, which the next calls point at.
type pageBuilder struct {
	blob  func(deskhand.Hash) ([]byte, error)
	frame *figure
}

func (b *pageBuilder) item(i Item) itemData {
	d := itemData{
		Said: plaintext.Block(i.Said), Thinking: plaintext.Block(i.Thinking),
		Message: plaintext.Block(i.Message), Note: plaintext.Block(i.Note),
	}
	switch {
	case i.Failure != nil:
		d.Trouble = plaintext.Block(FailureText(*i.Failure))
	case i.Checked != nil:
		b.checked(&d, *i.Checked)
	case i.Asked != nil:
		d.Asked = Question(*i.Asked)
		if t := i.Asked.Target; t != nil && t.Picture != nil {
			d.Seen = b.figure(t.Picture, "What it acts on, marked")
		}
	case i.Call != nil:
		d.Call = b.call(i.Call)
	}
	return d
}

// checked shows what was looked at. The picture is the same for all that needed one.
func (b *pageBuilder) checked(d *itemData, o deskhand.OutcomeChecked) {
	for _, c := range o.Items {
		d.Checks = append(d.Checks, CheckedText(c))
		if c.Image != nil && d.Seen == nil {
			d.Seen = b.figure(c.Image, "The screen that was looked at")
		}
	}
}

func (b *pageBuilder) call(c *Call) *callData {
	d := &callData{N: c.N, Human: Human(c.Call), Input: indented(c.Call.Input), Class: "ok", Duration: Seconds(c.Duration)}
	if v := c.Verdict; v.Outcome != "" {
		d.Verdict = plaintext.Line(strings.TrimSpace(string(v.Outcome) + " by " + v.Rule + ". " + v.Reason))
	}
	switch {
	case !c.Finished:
		d.Class, d.Duration = "open", ""
		d.Texts = []string{"What came of this call is not known."}
	case c.Result.IsError:
		d.Class = "error"
	}
	if b.frame != nil {
		if marks := Marks(c.N, c.Call); len(marks) > 0 {
			b.frame.Marks = append(b.frame.Marks, marks...)
			b.frame.Next = append(b.frame.Next, fmt.Sprintf("%d %s", c.N, d.Human))
		}
	}
	for _, content := range c.Result.Content {
		if content.Image == nil {
			d.Texts = append(d.Texts, plaintext.Block(content.Text))
			continue
		}
		f := b.figure(content.Image, fmt.Sprintf("The screen after call %d", c.N))
		if c.Call.Name != "zoom" { // a zoomed picture has coordinates of its own
			b.frame = f
		}
		d.Figures = append(d.Figures, f)
	}
	return d
}

// mediaTypes are the pictures a page may hold. Anything else stays out: the
// type comes from an event and becomes part of a URL.
var mediaTypes = map[string]bool{"image/png": true, "image/jpeg": true}

func (b *pageBuilder) figure(img *deskhand.Image, alt string) *figure {
	f := &figure{W: img.Size.W, H: img.Size.H, R: max(8, img.Size.W/90), Alt: alt}
	data := img.Data
	var err error
	if data == nil {
		data, err = b.blob(img.Hash)
	}
	if err != nil || !mediaTypes[img.MediaType] {
		f.Missing = "This picture is not there any more."
		return f
	}
	f.Src = template.URL("data:" + img.MediaType + ";base64," + base64.StdEncoding.EncodeToString(data))
	return f
}

func indented(raw json.RawMessage) string {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return plaintext.Block(string(raw))
	}
	var out strings.Builder
	enc := json.NewEncoder(&out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if enc.Encode(v) != nil {
		return plaintext.Block(string(raw))
	}
	return plaintext.Block(strings.TrimSpace(out.String()))
}

// Seconds returns d as a person reads it: "31 ms", "2.3 s", "4 min 05 s".
func Seconds(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", max(0, d.Milliseconds()))
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
}

// Tokens returns a count of tokens in a few words: "12.3k in (9.8k cached) · 210 out".
func Tokens(u deskhand.Usage) string {
	cached := ""
	if u.CacheRead > 0 {
		cached = " (" + count(u.CacheRead) + " cached)"
	}
	return count(u.Input+u.CacheRead+u.CacheWrite) + " in" + cached + " · " + count(u.Output) + " out"
}

func count(n int64) string {
	switch {
	case n < 10_000:
		return fmt.Sprint(n)
	case n < 1_000_000:
		return fmt.Sprintf("%.1fk", float64(n)/1e3)
	}
	return fmt.Sprintf("%.2fM", float64(n)/1e6)
}

// Dollars returns a cost: "$0.0041" below ten cents, "$1.23" above.
func Dollars(usd float64) string {
	if usd < 0.1 {
		return fmt.Sprintf("$%.4f", usd)
	}
	return fmt.Sprintf("$%.2f", usd)
}

// Meter returns what a reply took: tokens, cost and time. Empty for no reply.
func Meter(r *deskhand.ModelReplied) string {
	if r == nil {
		return ""
	}
	s := Tokens(r.Usage) + " · " + Dollars(r.CostUSD) + " · " + Seconds(time.Duration(r.DurationMS)*time.Millisecond)
	if r.StopReason != "tool_use" && r.StopReason != "end_turn" {
		s += " · stopped: " + plaintext.Line(r.StopReason)
	}
	for _, c := range r.Cleared {
		s += " · " + clearedText(c)
	}
	return s
}

// clearedNames is what can be left out of a request, for one and for several.
var clearedNames = map[deskhand.ClearedWhat][2]string{
	deskhand.ClearedResults:  {"result", "results"},
	deskhand.ClearedThinking: {"turn of thinking", "turns of thinking"},
	deskhand.ClearedImages:   {"picture", "pictures"},
}

// clearedText says what of the conversation the model was not shown any more.
func clearedText(c deskhand.Cleared) string {
	names, known := clearedNames[c.What]
	switch {
	case c.What == deskhand.ClearedHistory:
		return "the beginning summed up"
	case !known:
		return "some left out"
	case c.Count == 1:
		return "without the oldest " + names[0]
	case c.Count > 1:
		return fmt.Sprintf("without the oldest %d %s", c.Count, names[1])
	}
	return "without the oldest " + names[1]
}

// FailureText says what a failed request means, in one line.
func FailureText(f deskhand.ModelFailed) string {
	s := "The model could not be asked: " + f.Message
	if f.RetryMS > 0 {
		s += fmt.Sprintf(" Trying again in %s (attempt %d).", Seconds(time.Duration(f.RetryMS)*time.Millisecond), f.Attempt+1)
	}
	return s
}

// ConsultedText says what a request beside the conversation was for and took.
func ConsultedText(d deskhand.ModelConsulted) string {
	return plaintext.Line(fmt.Sprintf("Asked beside the conversation: %s · %s · %s · %s", d.Why, Tokens(d.Usage), Dollars(d.CostUSD),
		Seconds(time.Duration(d.DurationMS)*time.Millisecond)))
}

// RaisedText says what a task may spend from now on.
func RaisedText(d deskhand.BudgetRaised) string {
	b := d.Budget
	var parts []string
	if b.MaxTurns > 0 {
		parts = append(parts, fmt.Sprintf("%d turns", b.MaxTurns))
	}
	if b.MaxTime > 0 {
		parts = append(parts, b.MaxTime.String())
	}
	if b.MaxTokens > 0 {
		parts = append(parts, count(b.MaxTokens)+" tokens")
	}
	if b.MaxCostUSD > 0 {
		parts = append(parts, Dollars(b.MaxCostUSD))
	}
	if len(parts) == 0 {
		parts = []string{"no limit"}
	}
	return plaintext.Line("The budget is now " + strings.Join(parts, " · ") + ".")
}
