package deskhand

import (
	"crypto/rand"
	"slices"
	"strings"
	"time"
)

// TaskID names one task. It is eight lower-case letters and digits, short
// enough to be typed, and unique within a state directory.
type TaskID string

// idAlphabet leaves out letters that look alike when read aloud or printed.
const idAlphabet = "abcdefghjkmnpqrstuvwxyz23456789"

// NewTaskID returns a fresh random id.
func NewTaskID() TaskID {
	var raw [8]byte
	rand.Read(raw[:]) // never fails since Go 1.24
	for i, b := range raw {
		raw[i] = idAlphabet[int(b)%len(idAlphabet)]
	}
	return TaskID(raw[:])
}

// Valid reports whether id has the form of a task id.
func (id TaskID) Valid() bool {
	return len(id) == 8 && strings.Trim(string(id), idAlphabet) == ""
}

// Status is where a task stands.
type Status string

// The statuses of a task. See [Status.To] for the legal transitions.
const (
	Queued    Status = "queued"    // stored, not yet driven
	Running   Status = "running"   // a driver takes turns
	Waiting   Status = "waiting"   // parked until a person answers
	Exhausted Status = "exhausted" // parked until a person raises the budget that was reached
	Done      Status = "done"      // the model ended its turn with a result
	Failed    Status = "failed"    // it cannot go on; the reason is in the journal
	Stopped   Status = "stopped"   // a person stopped or refused it
)

var transitions = map[Status][]Status{
	"":        {Queued},
	Queued:    {Running, Stopped, Failed},
	Running:   {Waiting, Exhausted, Done, Failed, Stopped, Queued},
	Waiting:   {Running, Stopped, Failed},
	Exhausted: {Running, Stopped},
	Failed:    {Running},
	Stopped:   {Running},
	Done:      {Running}, // a follow-up message
}

// To reports whether a task may go from s to next.
func (s Status) To(next Status) bool { return slices.Contains(transitions[s], next) }

// Ended reports whether nothing drives the task and nobody is asked.
func (s Status) Ended() bool { return s == Done || s == Failed || s == Stopped }

// Task is one piece of work in a person's words, with everything it was
// started with. It holds no secret.
type Task struct {
	ID         TaskID    `json:"id"`
	Text       string    `json:"text"`
	Status     Status    `json:"status"`
	Created    time.Time `json:"created"`
	Updated    time.Time `json:"updated"`
	Model      string    `json:"model"`              // model id, as sent to the API
	Provider   string    `json:"provider,omitempty"` // who serves it; "" is Anthropic
	Toolset    string    `json:"tool_version"`       // computer tool type, as sent to the API
	Screen     Size      `json:"screen"`             // pixels of the display
	Scale      int       `json:"scale,omitempty"`    // magnification of what is on the display; 0 and 1 are none
	Effort     string    `json:"effort,omitempty"`   // "" is the model's default
	System     string    `json:"system,omitempty"`   // added to the system prompt
	Permission string    `json:"permission"`
	Sandbox    string    `json:"sandbox"`          // "bwrap" or "none"
	Allow      []string  `json:"allow,omitempty"`  // hosts that the desktop may reach; none: no network
	Memory     string    `json:"memory,omitempty"` // host directory of the memory tool; "" is none
	Tools      string    `json:"tools,omitempty"`  // host file of further tools, besides the state directory's; "" is none
	Forget     bool      `json:"forget,omitempty"` // nothing of it is kept once it has ended
	Folders    []Folder  `json:"folders,omitempty"`
	Unlock     []string  `json:"unlock,omitempty"` // protected names that may be written in Folders
	Budget     Budget    `json:"budget"`

	Criteria []Criterion `json:"criteria,omitempty"` // what must be so at the end
	Guard    Guard       `json:"guard,omitzero"`
	Skills   []string    `json:"skills,omitempty"`  // folders of the skills that System lists
	Secrets  []string    `json:"secrets,omitempty"` // kept from the model, as they were asked for: NAME, or NAME=PLACE where it may be filled in

	Result  string  `json:"result,omitempty"` // the model's last words
	Turns   int     `json:"turns"`
	Calls   int     `json:"calls"`
	Usage   Usage   `json:"usage"`
	CostUSD float64 `json:"cost_usd"`
	Finding Finding `json:"finding,omitempty"` // of the last look at Criteria; empty: none was taken
}

// Budget bounds a task and everything that it starts. A zero field is no bound.
type Budget struct {
	MaxTurns   int           `json:"max_turns,omitempty"`   // replies in the conversation
	MaxTime    time.Duration `json:"max_time_ns,omitempty"` // spent running, not waiting for a person
	MaxTokens  int64         `json:"max_tokens,omitempty"`  // of all requests and replies, cached ones too
	MaxCostUSD float64       `json:"max_cost_usd,omitempty"`
}

// Guard says how long a task may go in circles before the model is told, then a
// person asked, then the task ended, and how often a failed check of the
// outcome goes back to the model. A zero field is the default of package agent;
// a negative one switches that watch off.
type Guard struct {
	Identical int `json:"identical,omitempty"` // turns in a row with the same calls and the same results
	Cycles    int `json:"cycles,omitempty"`    // times around the same short cycle of turns
	Clicks    int `json:"clicks,omitempty"`    // clicks in a row after which nothing was drawn
	Idle      int `json:"idle,omitempty"`      // turns without progress
	Rechecks  int `json:"rechecks,omitempty"`  // failed checks that the model may answer
}

// Usage counts tokens. Total input is the sum of Input, CacheRead and CacheWrite
// (Messages API, version 2026-10-21).
type Usage struct {
	Input        int64 `json:"input_tokens"`
	Output       int64 `json:"output_tokens"`
	CacheRead    int64 `json:"cache_read_input_tokens"`
	CacheWrite   int64 `json:"cache_creation_input_tokens"`              // both lifetimes
	CacheWrite1h int64 `json:"cache_creation_1h_input_tokens,omitempty"` // the part of CacheWrite kept an hour
}

// Total returns all tokens: of prompts, cached or not, and of replies.
func (u Usage) Total() int64 { return u.Input + u.CacheRead + u.CacheWrite + u.Output }

// Add returns the sum of two counts.
func (u Usage) Add(v Usage) Usage {
	return Usage{u.Input + v.Input, u.Output + v.Output, u.CacheRead + v.CacheRead,
		u.CacheWrite + v.CacheWrite, u.CacheWrite1h + v.CacheWrite1h}
}
