package sqlite

import (
	"encoding/json"
	"time"

	"github.com/deskhand/deskhand"
)

// taskRow is a Task as it is stored. It is a type of its own so that the
// vocabulary can change without old rows changing their meaning.
type taskRow struct {
	Text       string         `json:"text"`
	Status     string         `json:"status"`
	Created    time.Time      `json:"created"`
	Updated    time.Time      `json:"updated"`
	Model      string         `json:"model"`
	Toolset    string         `json:"toolset"`
	Width      int            `json:"width"`
	Height     int            `json:"height"`
	Scale      int            `json:"scale,omitempty"`
	Effort     string         `json:"effort,omitempty"`
	System     string         `json:"system,omitempty"`
	Permission string         `json:"permission"`
	Sandbox    string         `json:"sandbox"`
	Allow      []string       `json:"allow,omitempty"`
	Memory     string         `json:"memory,omitempty"`
	Tools      string         `json:"tools,omitempty"`
	Forget     bool           `json:"forget,omitempty"`
	Folders    []folderRow    `json:"folders,omitempty"`
	Unlock     []string       `json:"unlock,omitempty"`
	Secrets    []string       `json:"secrets,omitempty"`
	MaxTurns   int            `json:"max_turns,omitempty"`
	MaxTimeNS  int64          `json:"max_time_ns,omitempty"`
	MaxTokens  int64          `json:"max_tokens,omitempty"`
	MaxCostUSD float64        `json:"max_cost_usd,omitempty"`
	Criteria   []criterionRow `json:"criteria,omitempty"`
	Guard      guardRow       `json:"guard,omitzero"`
	Skills     []string       `json:"skills,omitempty"`
	Result     string         `json:"result,omitempty"`
	Turns      int            `json:"turns"`
	Calls      int            `json:"calls"`
	Usage      usageRow       `json:"usage"`
	CostUSD    float64        `json:"cost_usd"`
	Finding    string         `json:"finding,omitempty"`
}

type folderRow struct {
	Path string `json:"path"`
	Mode string `json:"mode"`
}

type criterionRow struct {
	Kind string `json:"kind"`
	Want string `json:"want"`
}

type guardRow struct {
	Identical int `json:"identical,omitempty"`
	Cycles    int `json:"cycles,omitempty"`
	Clicks    int `json:"clicks,omitempty"`
	Idle      int `json:"idle,omitempty"`
	Rechecks  int `json:"rechecks,omitempty"`
}

// converted returns a slice whose elements went through f; none stay nil.
func converted[From, To any](in []From, f func(From) To) []To {
	var out []To
	for _, v := range in {
		out = append(out, f(v))
	}
	return out
}

type usageRow struct {
	Input        int64 `json:"input"`
	Output       int64 `json:"output"`
	CacheRead    int64 `json:"cache_read"`
	CacheWrite   int64 `json:"cache_write"`
	CacheWrite1h int64 `json:"cache_write_1h,omitempty"`
}

func rowOf(t deskhand.Task) taskRow {
	return taskRow{
		Text: t.Text, Status: string(t.Status), Created: t.Created, Updated: t.Updated,
		Model: t.Model, Toolset: t.Toolset, Width: t.Screen.W, Height: t.Screen.H, Scale: t.Scale,
		Effort: t.Effort, System: t.System, Permission: t.Permission, Sandbox: t.Sandbox, Allow: t.Allow, Memory: t.Memory, Tools: t.Tools, Forget: t.Forget,
		Folders: converted(t.Folders, func(f deskhand.Folder) folderRow { return folderRow{f.Path, string(f.Mode)} }), Unlock: t.Unlock,
		MaxTurns: t.Budget.MaxTurns, MaxTimeNS: int64(t.Budget.MaxTime), MaxTokens: t.Budget.MaxTokens, MaxCostUSD: t.Budget.MaxCostUSD,
		Criteria: converted(t.Criteria, func(c deskhand.Criterion) criterionRow { return criterionRow(c) }),
		Guard:    guardRow(t.Guard), Skills: t.Skills, Secrets: t.Secrets, Finding: string(t.Finding),
		Result: t.Result, Turns: t.Turns, Calls: t.Calls, Usage: usageRow(t.Usage), CostUSD: t.CostUSD,
	}
}

func (r taskRow) task(id deskhand.TaskID) deskhand.Task {
	return deskhand.Task{
		ID: id, Text: r.Text, Status: deskhand.Status(r.Status), Created: r.Created, Updated: r.Updated,
		Model: r.Model, Toolset: r.Toolset, Screen: deskhand.Size{W: r.Width, H: r.Height}, Scale: r.Scale,
		Effort: r.Effort, System: r.System, Permission: r.Permission, Sandbox: r.Sandbox, Allow: r.Allow, Memory: r.Memory, Tools: r.Tools, Forget: r.Forget,
		Folders: converted(r.Folders, func(f folderRow) deskhand.Folder {
			return deskhand.Folder{Path: f.Path, Mode: deskhand.FolderMode(f.Mode)}
		}), Unlock: r.Unlock,
		Budget:   deskhand.Budget{MaxTurns: r.MaxTurns, MaxTime: time.Duration(r.MaxTimeNS), MaxTokens: r.MaxTokens, MaxCostUSD: r.MaxCostUSD},
		Criteria: converted(r.Criteria, func(c criterionRow) deskhand.Criterion { return deskhand.Criterion(c) }),
		Guard:    deskhand.Guard(r.Guard), Skills: r.Skills, Secrets: r.Secrets, Finding: deskhand.Finding(r.Finding),
		Result: r.Result, Turns: r.Turns, Calls: r.Calls, Usage: deskhand.Usage(r.Usage), CostUSD: r.CostUSD,
	}
}

func encodeTask(t deskhand.Task) ([]byte, error) { return json.Marshal(rowOf(t)) }

func decodeTask(id deskhand.TaskID, raw []byte) (deskhand.Task, error) {
	var r taskRow
	if err := json.Unmarshal(raw, &r); err != nil {
		return deskhand.Task{}, deskhand.Errorf("store: read", deskhand.Conflict, "what is known of task %s is damaged: %w", id, err)
	}
	return r.task(id), nil
}

// encodeEvent returns the bytes an event is stored as; decodeEvent is its inverse.
func encodeEvent(e deskhand.Event) ([]byte, error) {
	e.Time = e.Time.UTC().Round(0)
	body, err := e.Canonical()
	return body, deskhand.E("store: append", deskhand.Invalid, err)
}

func decodeEvent(task deskhand.TaskID, seq int64, body []byte) (deskhand.Event, error) {
	var e deskhand.Event
	if err := json.Unmarshal(body, &e); err != nil {
		return e, deskhand.Errorf("store: read", deskhand.Conflict, "event %d of task %s is damaged: %w", seq, task, err)
	}
	return e, nil
}
