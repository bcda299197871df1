package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/demo"
	"github.com/deskhand/deskhand/machine"
	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/model/claude"
	"github.com/deskhand/deskhand/model/script"
	"github.com/deskhand/deskhand/policy"
	"github.com/deskhand/deskhand/secret"
	"github.com/deskhand/deskhand/tool/bash"
	"github.com/deskhand/deskhand/tool/computer"
	"github.com/deskhand/deskhand/tool/editor"
	"github.com/deskhand/deskhand/tool/skill"
)

// plan is a run that was checked as far as that is possible before anything
// starts: every file was read, every flag means something.
type plan struct {
	task    deskhand.Task
	models  model.Catalogue
	info    model.Info
	script  *scriptFile   // plays instead of a model; nil: the API
	api     claude.Config // where to ask, when there is no script
	keep    bool
	parks   bool // nobody can be asked here: the desktop outlives this process while its task waits
	skills  []skill.Skill
	secrets *secret.Set
	demo    bool // the task is the demonstration, which has criteria of its own

	noModel error // why nothing can answer; nil: it can
	blind   error // why the task's secrets are not known here, so that nothing can be searched for them; nil: they are
}

// scriptFile is a script by name and content.
type scriptFile struct {
	name string
	data []byte
}

const (
	scriptPrefix = "script:"
	maxScript    = 8 << 20 // bytes
	maxSystem    = 1 << 20 // bytes
	maxTask      = 1 << 20 // bytes
)

// The bounds of a desktop. Below, windows and panel do not fit; above, Xvfb's
// memory and the images become a burden.
var (
	leastSize = deskhand.Size{W: 640, H: 480}
	mostSize  = deskhand.Size{W: 3840, H: 2400} // or upright
)

const maxScale = 3

func (c *runCmd) plan(ctx context.Context, a *app) (plan, error) {
	_, unusable := a.hooks()
	if errs := slices.DeleteFunc(append(c.unsupported(), unusable), func(err error) bool { return err == nil }); len(errs) > 0 {
		return plan{}, errs[0] // a person mends one thing at a time
	}
	budget, err := c.budget()
	if err != nil {
		return plan{}, err
	}
	size, err := screenSize(c.Size, c.Scale)
	if err != nil {
		return plan{}, err
	}
	p := plan{keep: c.Keep}
	p.task = deskhand.Task{Screen: size, Scale: c.Scale, Budget: budget, Permission: c.Permission, Sandbox: c.Sandbox}
	if p.task.Text, p.demo, err = c.text(); err != nil {
		return plan{}, err
	}
	if p.task.System, err = systemText(c.System); err != nil {
		return plan{}, err
	}
	if err := errors.Join(c.network(a, &p), c.folders(a, &p), c.secrets(ctx, a, &p), c.retention(a, &p)); err != nil {
		return plan{}, firstOf(err)
	}
	if err := c.readSkills(a, &p); err != nil {
		return p, err
	}
	if err := c.tools(a, &p); err != nil {
		return p, err
	}
	if err := c.chooseModel(a, &p); err != nil {
		return p, err
	}
	p.task.Permission = cmp.Or(c.Permission, usualMode(p.demo))
	if p.task.Guard, err = c.guard(); err != nil {
		return p, err
	}
	if p.task.Criteria, err = criteria(c.Check); err != nil {
		return p, err
	}
	if p.demo {
		p.task.Criteria = append(p.task.Criteria, demo.Criteria()...)
	}
	if p.demo && c.Sandbox == string(machine.None) {
		return p, usage("the demonstration writes to /home/user inside its sandbox: leave out --sandbox none, or give a task of your own")
	}
	return p, nil
}

// usualMode is the permission mode where none was chosen.
func usualMode(demo bool) string {
	if demo {
		return string(policy.Trust) // what it does is known
	}
	return string(policy.AskMode)
}

// unsupported returns an error for each flag whose machinery is not there yet.
func (c *runCmd) unsupported() []error {
	var errs []error
	for _, f := range []struct {
		used bool
		name string
	}{
		{c.Display != "", "--display"},
		{c.MCPConfig != "", "--mcp-config"},
		{c.Sandbox == string(machine.OCI) && c.Keep, "--keep with --sandbox oci"},
	} {
		if f.used {
			errs = append(errs, notYet(f.name))
		}
	}
	return errs
}

func screenSize(text string, scale int) (deskhand.Size, error) {
	size, err := deskhand.ParseSize(text)
	if err != nil {
		return size, usage("--size %q is not a size: write it as 1280x800", text)
	}
	if scale < 1 || scale > maxScale {
		return size, usage("--scale %d is out of range: choose from 1 to %d", scale, maxScale)
	}
	least := deskhand.Size{W: leastSize.W * scale, H: leastSize.H * scale}
	if size.W < least.W || size.H < least.H || max(size.W, size.H) > mostSize.W || min(size.W, size.H) > mostSize.H {
		return size, usage("--size %s is out of range: choose from %s to %s or, upright, %dx%d", size, least, mostSize, mostSize.H, mostSize.W)
	}
	return size, nil
}

// text returns the task in words, and whether it is the demonstration's own.
func (c *runCmd) text() (text string, isDemo bool, err error) {
	text = strings.Join(c.Text, " ")
	switch {
	case strings.TrimSpace(text) == "" && len(c.Text) > 0:
		return "", false, usage("the task is empty: say what to do, in plain words")
	case len(c.Text) == 0:
		return demo.Task, true, nil
	case !utf8.ValidString(text):
		return "", false, usage("the task is not valid UTF-8: check the terminal's encoding")
	case len(text) > maxTask:
		return "", false, usage("the task is longer than 1 MB: put the material where the desktop can read it")
	}
	return text, strings.TrimSpace(text) == strings.TrimSpace(demo.Task), nil
}

func systemText(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	data, err := readFile(path, maxSystem, "--system")
	if err == nil && !utf8.Valid(data) {
		err = usage("%q is not text in UTF-8: give --system a text file", path)
	}
	return string(data), err
}

// readSkills reads the skills of the state directory and of the command line,
// and adds them to the system prompt.
func (c *runCmd) readSkills(a *app, p *plan) error {
	home, err := a.homePath()
	if err != nil {
		return err
	}
	dirs, err := skill.In(filepath.Join(home, "skills"))
	if err != nil {
		return err
	}
	if p.skills, err = skill.LoadAll(append(dirs, c.Skill...)); err != nil {
		return usage("--skill: %s", err)
	}
	for _, s := range p.skills {
		p.task.Skills = append(p.task.Skills, s.Dir)
	}
	p.task.System = strings.TrimSpace(strings.TrimSpace(p.task.System) + "\n\n" + skill.Listing(p.skills))
	return nil
}

// readFile reads a file that a flag names.
func readFile(path string, limit int64, flag string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, usage("there is no file %q: check the path given to %s", path, flag)
	case err == nil && !info.Mode().IsRegular():
		return nil, usage("%q is not a file: check the path given to %s", path, flag)
	case err == nil && info.Size() > limit:
		return nil, usage("%q is larger than %d MB: check the path given to %s", path, limit>>20, flag)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, usage("%q cannot be read (%s): check the path given to %s", path, cause(err), flag)
	}
	return data, nil
}

// chooseModel settles what answers: a script, the API, or, without a key, the demonstration.
func (c *runCmd) chooseModel(a *app, p *plan) error {
	name, err := c.Model, error(nil)
	if file, isScript := strings.CutPrefix(name, scriptPrefix); isScript {
		if p.script, err = loadScript(file); err != nil {
			return err
		}
		name = model.Default
		p.demo = bytes.Equal(p.script.data, demo.Script) // else the script decides what is done
	}
	if p.models, err = a.models(); err != nil {
		return err
	}
	if p.info, err = p.models.Lookup(name); err != nil {
		return usage("--model: %s", err)
	}
	provider := c.provider(a, p)
	p.info = p.info.At(provider)
	if provider != model.Anthropic {
		p.task.Provider = string(provider)
	}
	p.task.Model = name
	if err := errors.Join(c.effort(p), c.toolset(p), others(p.info)); err != nil || p.script != nil {
		return firstOf(err)
	}
	if p.reach(a, provider) {
		return nil
	}
	return c.withoutKey(a, p)
}

// reach settles how the API is reached, and reports whether there is a key.
func (p *plan) reach(a *app, by model.Provider) bool {
	p.api = claude.ForProvider(by, a.env)
	p.api.Models = p.models
	return p.api.HasKey() || p.api.Ambient
}

// provider settles who serves the model. A script is played as the Claude API.
func (c *runCmd) provider(a *app, p *plan) model.Provider {
	switch {
	case p.script != nil:
		return model.Anthropic
	case c.Provider == "auto":
		return claude.Detect(a.env)
	}
	return model.Provider(c.Provider)
}

// withoutKey turns the run into the demonstration played by its script, where
// that is what was asked for.
func (c *runCmd) withoutKey(a *app, p *plan) error {
	if !c.Demo && !p.demo {
		return deskhand.Errorf("", deskhand.Unauthenticated,
			"there is no API key for this task: set ANTHROPIC_API_KEY, play a script with --model script:FILE, or add --demo to see the built-in demonstration")
	}
	a.say("No ANTHROPIC_API_KEY: playing the built-in demonstration instead of a model. Prices are what the model would cost; nothing is charged.")
	p.script, p.demo = &scriptFile{"demonstration", demo.Script}, true
	p.task.Text = demo.Task
	return nil
}

func loadScript(file string) (*scriptFile, error) {
	data, err := readFile(file, maxScript, "--model script:")
	if err != nil {
		return nil, err
	}
	name := filepath.Base(file)
	_, err = script.Parse(name, data) // before anything starts
	return &scriptFile{name, data}, err
}

func (c *runCmd) effort(p *plan) error {
	info := p.info
	if c.Effort != "" && !slices.Contains(info.Efforts, c.Effort) {
		if len(info.Efforts) == 0 {
			return usage("--effort: %s has no such setting; leave it out", info.ID)
		}
		return usage("--effort %q is not one that %s knows: choose %s", c.Effort, info.ID, strings.Join(info.Efforts, ", "))
	}
	p.task.Effort = c.Effort
	return nil
}

// toolset settles the version of the computer tool: the one asked for, else the
// best that both the model and deskhand speak.
func (c *runCmd) toolset(p *plan) error {
	info := p.info
	fits := slices.DeleteFunc(slices.Clone(info.Computer), func(kind string) bool { return !slices.Contains(computer.Versions(), kind) })
	switch {
	case len(fits) == 0:
		return usage("%s takes %s, and this version of deskhand speaks only %s: choose another --model",
			info.ID, strings.Join(info.Computer, " or "), strings.Join(computer.Versions(), ", "))
	case c.ToolVersion != "auto" && !slices.Contains(fits, c.ToolVersion):
		return usage("--tool-version %q does not fit %s, which takes %s", c.ToolVersion, info.ID, strings.Join(fits, " or "))
	case c.ToolVersion != "auto":
		p.task.Toolset = c.ToolVersion
	default:
		p.task.Toolset = fits[0]
	}
	return nil
}

// others refuses a model whose other tools cannot be made.
func others(info model.Info) error {
	for _, t := range []struct {
		kind  string
		known []string
	}{{info.Editor, editor.Versions()}, {info.Bash, bash.Versions()}} {
		if !slices.Contains(t.known, t.kind) {
			return usage("%s takes %s, and this version of deskhand speaks only %s: choose another --model", info.ID, t.kind, strings.Join(t.known, ", "))
		}
	}
	return nil
}
