package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/policy"
	"github.com/deskhand/deskhand/sandbox"
	"github.com/deskhand/deskhand/sandbox/host"
	"github.com/deskhand/deskhand/tool"
	"github.com/deskhand/deskhand/tool/computer"
	"github.com/deskhand/deskhand/tool/custom"
	"github.com/deskhand/deskhand/tool/memory"
	plans "github.com/deskhand/deskhand/tool/plan"
	"github.com/deskhand/deskhand/tool/skill"
)

// toolsFile is in the state directory; docs/tools.md has its form.
const (
	toolsFile = "tools.json"
	maxTools  = 1 << 20 // bytes
	maxSecret = 64 << 10
)

// described is the tools of one file, and the directory the file is in.
type described struct {
	custom.Set
	dir string
}

// describedTools reads the state directory's file of tools, and the file that
// --tools names, which may be empty.
func (a *app) describedTools(named string) ([]described, error) {
	dir, err := a.homePath()
	if err != nil {
		return nil, err
	}
	var files []string
	own := filepath.Join(dir, toolsFile)
	if _, err := os.Stat(own); !errors.Is(err, fs.ErrNotExist) {
		files = append(files, own)
	}
	if named != "" && named != own {
		files = append(files, named)
	}
	var sets []described
	taken := takenNames()
	for _, path := range files {
		data, err := readFile(path, maxTools, "--tools")
		if err != nil {
			return nil, err
		}
		set, err := custom.Parse(path, data, custom.Config{Taken: taken, Env: a.env, Read: readSecret})
		if err != nil {
			return nil, err
		}
		taken = append(taken, set.Names()...)
		sets = append(sets, described{set, filepath.Dir(path)})
	}
	return sets, nil
}

func readSecret(path string) ([]byte, error) { return readFile(path, maxSecret, "the header") }

// takenNames are the names of the tools there are, in any version, so that a
// file of tools goes with every model.
func takenNames() []string {
	names := []string{"computer", "browser", "bash", "str_replace_based_edit_tool", "str_replace_editor", "memory", skill.ToolName}
	for _, version := range computer.Versions() {
		names = append(names, computer.Members(version)...)
	}
	return names
}

// tools settles what the model may call besides the computer's own tools.
func (c *runCmd) tools(a *app, p *plan) (err error) {
	if c.Tools != "" {
		if p.task.Tools, err = filepath.Abs(c.Tools); err != nil {
			return usage("--tools %q is not a path that can be used", c.Tools)
		}
	}
	sets, err := a.describedTools(p.task.Tools)
	if err != nil {
		return err
	}
	for _, s := range sets {
		if names := s.OnHost(); len(names) > 0 {
			a.say("Outside the sandbox, on this machine: %s.", strings.Join(names, ", "))
		}
	}
	p.task.Memory, err = memoryDir(a, c.Memory)
	return err
}

// memoryDir checks the directory of a memory. Everything in it is the model's
// to read and to change, so that it must not be one that holds other things.
func memoryDir(a *app, given string) (string, error) {
	if given == "" {
		return "", nil
	}
	dir, err := filepath.Abs(given)
	if err != nil {
		return "", usage("--memory %q is not a path that can be used", given)
	}
	state, err := a.homePath()
	if err != nil {
		return "", err
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return "", usage("%q is not a folder: give --memory a directory, which is made when it is not there", given)
	}
	if holds(dir, state) || a.env("HOME") != "" && holds(dir, a.env("HOME")) {
		return "", usage("--memory %q holds your home or deskhand's state, which the model would get to read: give it a directory of its own", given)
	}
	return dir, nil
}

// holds reports whether path is dir or lies below it.
func holds(dir, path string) bool {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}

// more makes the tools of a task that are not the computer's own.
func (c computers) more(t deskhand.Task) func(inside sandbox.Sandbox) ([]tool.Tool, error) {
	return func(inside sandbox.Sandbox) ([]tool.Tool, error) {
		sets, err := c.app.describedTools(t.Tools)
		if err != nil {
			return nil, err
		}
		var all []tool.Tool
		if t.Permission == string(policy.AskMode) || t.Permission == string(policy.Plan) {
			all = append(all, plans.New())
		}
		if len(c.skills) > 0 {
			all = append(all, skill.New(c.skills))
		}
		for _, s := range sets {
			outside, err := thisMachine(s.dir)
			if err != nil {
				return nil, err
			}
			made, err := s.Tools(inside, outside)
			if err != nil {
				return nil, err
			}
			all = append(all, made...)
		}
		if t.Memory == "" {
			return all, nil
		}
		m, err := memory.New(memory.Config{Dir: t.Memory})
		if err != nil {
			return nil, err
		}
		return append(all, m), nil
	}
}

// outsideNames are the variables that a command outside the sandbox gets.
var outsideNames = []string{"PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "TMPDIR"}

// thisMachine is where commands run that a person puts outside the sandbox. Each
// call ends what it started, so that nothing is left to close.
func thisMachine(dir string) (sandbox.Sandbox, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, deskhand.Errorf("tools", deskhand.Internal, "this program's own file cannot be found: %w", err)
	}
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return !slices.Contains(outsideNames, name) && !strings.HasPrefix(name, "LC_")
	})
	return host.New(host.Config{Home: dir, Env: env, Keeper: []string{exe, "guest", "keep"}}), nil
}
