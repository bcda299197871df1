package main

import (
	"context"
	"maps"
	"os"
	"slices"
	"time"

	"golang.org/x/term"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/transcript"
)

type runCmd struct {
	Text []string `arg:"" optional:"" name:"task" help:"What to do, in plain words. Without it: the demonstration."`

	Model       string         `default:"${model}" placeholder:"NAME" help:"Model, or script:FILE to play a script instead (default ${model})."`
	Provider    string         `default:"auto" enum:"auto,anthropic,bedrock,vertex,googlecloud,foundry,aws" placeholder:"NAME" help:"Who serves the model: anthropic, bedrock, vertex, googlecloud, foundry or aws (default auto: as the environment says)."`
	ToolVersion string         `default:"auto" placeholder:"TYPE" help:"Computer tool version (default auto: what fits the model and the provider)."`
	Size        string         `default:"1280x800" placeholder:"WxH" help:"Size of the desktop in pixels (default 1280x800)."`
	Scale       int            `default:"1" placeholder:"N" help:"Magnification of everything on the desktop, 1 to 3 (default 1)."`
	Display     string         `placeholder:":N" help:"An existing X display (not yet)."`
	Sandbox     string         `default:"bwrap" enum:"bwrap,oci,none" placeholder:"KIND" help:"Walls around the desktop: bwrap, oci (a container of podman or docker) or none (default bwrap)."`
	Folder      []string       `sep:"none" placeholder:"PATH[:review|ro|rw]" help:"Share a folder, seen at the same path: for review (default; your files change only when you accept it, see deskhand task review), ro (read-only) or rw (your files change at once; deskhand task undo takes it back); repeatable."`
	Unlock      []string       `sep:"none" placeholder:"NAME" help:"A protected name that may be written in shared folders, such as .bashrc or .git/hooks; repeatable."`
	Allow       []string       `sep:"none" placeholder:"HOST[:PORT]" help:"Let the desktop reach a host, *.HOST for all below one, or a set such as @packages; repeatable (default: no network)."`
	Permission  string         `env:"DESKHAND_PERMISSION" enum:",${permissions}" default:"" placeholder:"MODE" help:"When to ask a person: ask, plan, auto or trust (default ask; the demonstration: trust)."`
	MaxTurns    int            `default:"200" placeholder:"N" help:"Pause after so many replies of the model; 0 is no limit (default 200)."`
	MaxCost     float64        `placeholder:"USD" help:"Pause before more than this is spent; 0 is no limit."`
	MaxTokens   int64          `placeholder:"N" help:"Pause before requests and replies add up to more tokens, cached ones too; 0 is no limit."`
	MaxTime     time.Duration  `placeholder:"D" help:"Pause after so long, such as 90s or 1h; 0 is no limit."`
	Check       []string       `sep:"none" placeholder:"KIND:WANT" help:"What must be so at the end: file:/PATH[~PATTERN|=sha256:HASH], command:LINE, text:WORDS, window:WORDS, url:BEGINNING or look:STATEMENT. May be given more than once."`
	Stuck       map[string]int `mapsep:"," placeholder:"WATCH=N" help:"When the task counts as going in circles: identical=3 turns with the same calls and results, cycles=3 times around, clicks=5 without effect, idle=15 turns without progress; 0 switches a watch off."`
	Rechecks    int            `default:"1" placeholder:"N" help:"How often a check that failed goes back to the model (default 1)."`
	Effort      string         `placeholder:"LEVEL" help:"How much the model thinks (default: the model's own)."`
	System      string         `placeholder:"FILE" help:"File with text to add to the system prompt."`
	Tools       string         `placeholder:"FILE" help:"File with further tools, commands and HTTP endpoints; tools.json in the state directory is read too."`
	Memory      string         `placeholder:"DIR" help:"Directory of this machine in which the model keeps notes from task to task (default: no memory)."`
	Skill       []string       `sep:"none" placeholder:"DIR" help:"Folder of a skill (SKILL.md) that the model may read; may be given more than once. Those in the state directory's skills are always there."`
	MCPConfig   string         `name:"mcp-config" placeholder:"FILE" help:"Connectors (not yet)."`
	Secret      []string       `sep:"none" placeholder:"NAME[=PLACE]" help:"A secret that the model must not see, and where it may be typed for it (window:PROGRAM); from the keyring, secrets.json in the state directory or DESKHAND_SECRET_NAME; repeatable (see docs/secrets.md)."`
	Output      string         `default:"text" enum:"text,json,stream-json" placeholder:"FORM" help:"text, json (one object at the end) or stream-json (one event per line)."`
	Retention   string         `enum:",zero" default:"" placeholder:"zero" help:"zero keeps nothing of the task once it has ended (default: as retention.json in the state directory says, else everything until task rm)."`
	Keep        bool           `help:"Keep the desktop up after the end; see deskhand desktop."`
	Demo        bool           `help:"Without an API key, play the built-in demonstration instead of failing."`
}

// Run runs one task and watches it until it is driven no further.
func (c *runCmd) Run(ctx context.Context, a *app) error {
	p, err := c.plan(ctx, a)
	if err != nil {
		return err
	}
	p.parks = c.Output != "text" || !isTerminal(a.stdin) || !isTerminal(a.stdout)
	st, err := a.openMasked(ctx, p)
	if err != nil {
		return err
	}
	s, err := newSession(ctx, a, p, st)
	if err != nil {
		return err
	}
	v := a.view(c.Output)
	defer v.close()
	return s.drive(ctx, a, v)
}

// isTerminal reports whether a stream is one at which a person may sit.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// view returns what shows a task in a form of output.
func (a *app) view(form string) view {
	switch form {
	case "json":
		return outcomeView{a.stdout, transcript.New()}
	case "stream-json":
		return newStreamView(a.stdout)
	}
	v := newTextView(a.stdout, a.env)
	v.live = true
	return v
}

// budget reads the bounds of a task.
func (c *runCmd) budget() (deskhand.Budget, error) {
	b := deskhand.Budget{MaxTurns: c.MaxTurns, MaxTime: c.MaxTime, MaxTokens: c.MaxTokens, MaxCostUSD: c.MaxCost}
	switch {
	case c.MaxTurns < 0:
		return b, usage("--max-turns %d is negative: give a number of replies, or 0 for no limit", c.MaxTurns)
	case c.MaxTime < 0:
		return b, usage("--max-time %s is negative: give a time such as 90s or 1h, or 0 for no limit", c.MaxTime)
	case c.MaxTokens < 0:
		return b, usage("--max-tokens %d is negative: give a number of tokens, or 0 for no limit", c.MaxTokens)
	case !(c.MaxCost >= 0 && c.MaxCost <= 1e9): // NaN too
		return b, usage("--max-cost %v is not an amount: give US dollars such as 0.50, or 0 for no limit", c.MaxCost)
	}
	return b, nil
}

// guard reads when a task counts as going in circles. Here 0 is never; in a
// Guard it is the default.
func (c *runCmd) guard() (deskhand.Guard, error) {
	g := deskhand.Guard{Rechecks: orNever(c.Rechecks)}
	fields := map[string]*int{"identical": &g.Identical, "cycles": &g.Cycles, "clicks": &g.Clicks, "idle": &g.Idle}
	for _, name := range slices.Sorted(maps.Keys(c.Stuck)) {
		field, ok := fields[name]
		if !ok {
			return g, usage("--stuck: there is no watch %q; there are identical, cycles, clicks and idle", name)
		}
		if n := c.Stuck[name]; n < 0 || n == 1 {
			return g, usage("--stuck %s=%d: give a number from 2 up, or 0 to switch it off", name, n)
		}
		*field = orNever(c.Stuck[name])
	}
	if c.Rechecks < 0 {
		return g, usage("--rechecks %d is negative: give a number, or 0 for none", c.Rechecks)
	}
	return g, nil
}

func orNever(n int) int {
	if n == 0 {
		return -1
	}
	return n
}
