package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/plaintext"
	"github.com/deskhand/deskhand/sandbox/folder"
	"github.com/deskhand/deskhand/transcript"
)

type taskReviewCmd struct {
	ID string `arg:"" help:"Task id, or its beginning."`

	JSON            bool     `name:"json" help:"Print one JSON object instead of text."`
	Apply           []string `sep:"none" placeholder:"all|none|PATH" help:"Bring changes into the real folders: all, none, or those at or below a path; repeatable."`
	AcceptDeletions bool     `help:"With --apply: delete what the task deleted, too, exactly what is listed. It goes to the task's trash."`
	Unlock          []string `sep:"none" placeholder:"NAME" help:"With --apply: a protected name that may be written, such as .bashrc or .git/hooks; repeatable."`
	Diff            bool     `default:"true" negatable:"" help:"Show how texts changed."`
	MaxTrash        int64    `default:"10240" placeholder:"MB" help:"With --apply: how much the task's trash may hold (default 10240)."`
}

const (
	applyAll  = "all"
	applyNone = "none"
	diffLines = 60 // of one file
)

// reviewed is what "task review --json" and "task undo --json" print.
type reviewed struct {
	Task    deskhand.TaskID  `json:"task"`
	Folders []reviewedFolder `json:"folders"`
}

type reviewedFolder struct {
	Path    string                      `json:"path"`
	Layer   folder.Kind                 `json:"layer"`
	Bytes   int64                       `json:"layer_bytes"`
	Trash   int64                       `json:"trash_bytes"`
	Count   map[deskhand.ChangeKind]int `json:"count"`   // of changes
	Changes []reviewedChange            `json:"changes"` // those that wait; after --apply, those that are left
	Applied []reviewedChange            `json:"applied,omitempty"`
}

type reviewedChange struct {
	Kind      deskhand.ChangeKind `json:"kind"`
	Path      string              `json:"path"`                 // bytes that are not UTF-8 escaped
	Bytes     string              `json:"path_bytes,omitempty"` // base64, when they were
	From      string              `json:"from,omitempty"`
	Type      string              `json:"type"` // file, folder, link or special
	Size      int64               `json:"size"`
	OldSize   int64               `json:"old_size"`
	Mode      string              `json:"mode,omitempty"` // octal
	OldMode   string              `json:"old_mode,omitempty"`
	Target    string              `json:"target,omitempty"`
	Refused   string              `json:"refused,omitempty"`
	Conflict  bool                `json:"conflict,omitempty"`
	Protected string              `json:"protected,omitempty"`
	Diff      string              `json:"diff,omitempty"`
}

// Run shows what changed, and applies what is asked for.
func (c *taskReviewCmd) Run(ctx context.Context, a *app) error {
	if err := c.check(); err != nil {
		return err
	}
	st, t, err := a.task(ctx, c.ID)
	if err != nil {
		return err
	}
	layers, err := a.reviewable(t)
	if err != nil {
		return err
	}
	out := reviewed{Task: t.ID, Folders: []reviewedFolder{}}
	paths, err := c.split(t, layers)
	if err != nil {
		return err
	}
	var failed []error
	for _, i := range slices.Sorted(maps.Keys(layers)) {
		l := layers[i]
		changes, err := changesOf(ctx, l, slices.Concat(t.Unlock, c.Unlock))
		if err != nil {
			return err
		}
		f := reviewedFolder{Path: l.Folder(), Layer: l.Kind(), Count: summed(l, changes).Count, Changes: c.list(l, changes)}
		f.Bytes, f.Trash = l.Sizes()
		if !c.JSON {
			a.showFolder(t, f)
		}
		if len(c.Apply) > 0 && l.Kind() != folder.Direct { // of which all is there
			done, err := c.apply(ctx, a, l, t, paths[i])
			f.Applied, f.Changes = plainList(done.Applied), plainList(done.Left)
			failed = append(failed, err)
			if !c.JSON {
				a.showOutcome("Applied", f)
			}
			_, err = st.Append(ctx, deskhand.NewEvent(t.ID, deskhand.KindFileReviewed, deskhand.FileReviewed{
				Folder: l.Folder(), Applied: pathsOf(f.Applied), Left: len(f.Changes), Unlock: c.Unlock,
			}))
			failed = append(failed, err)
		}
		out.Folders = append(out.Folders, f)
	}
	if c.JSON {
		printJSON(a.stdout, out)
	} else if len(layers) == 0 {
		fmt.Fprintln(a.stdout, "No folder that can be written was shared with this task.")
	}
	return errors.Join(failed...)
}

func (c *taskReviewCmd) check() error {
	for _, p := range []string{applyAll, applyNone} {
		if slices.Contains(c.Apply, p) && len(c.Apply) > 1 {
			return usage("--apply %s stands alone: a file of that name is ./%s", p, p)
		}
	}
	if len(c.Apply) == 0 && (c.AcceptDeletions || len(c.Unlock) > 0) {
		return usage("--accept-deletions and --unlock need --apply: say what to apply")
	}
	if c.MaxTrash < 1 {
		return usage("--max-trash %d is too little: give a number of MB", c.MaxTrash)
	}
	return unlockable(c.Unlock)
}

// split finds the folder of each path of --apply. A relative path is one in the
// task's folder, of which there must be one only.
func (c *taskReviewCmd) split(t deskhand.Task, layers map[int]*folder.Layer) (map[int][]string, error) {
	out := map[int][]string{}
	if len(c.Apply) == 0 || slices.Contains([]string{applyAll, applyNone}, c.Apply[0]) {
		return out, nil
	}
	for _, p := range c.Apply {
		found := false
		for i := range layers {
			rel := p
			if filepath.IsAbs(p) {
				var err error
				if rel, err = filepath.Rel(t.Folders[i].Path, p); err != nil || !filepath.IsLocal(rel) {
					continue
				}
			} else if len(layers) > 1 {
				return nil, usage("%q could be in any of the task's %d folders: give --apply its whole path", p, len(layers))
			}
			out[i], found = append(out[i], rel), true
		}
		if !found {
			return nil, usage("%q is in no folder that was shared for review with this task", p)
		}
	}
	return out, nil
}

// apply applies what was chosen in one folder.
func (c *taskReviewCmd) apply(ctx context.Context, a *app, l *folder.Layer, t deskhand.Task, paths []string) (folder.Outcome, error) {
	if c.Apply[0] != applyAll && len(paths) == 0 {
		left, err := l.Changes(ctx, nil)
		return folder.Outcome{Left: left}, err
	}
	if err := l.Lock(); err != nil {
		return folder.Outcome{}, err
	}
	out, err := l.Apply(ctx, folder.Choice{
		All: c.Apply[0] == applyAll, Paths: paths, Deletions: c.AcceptDeletions,
		Unlocked: slices.Concat(t.Unlock, c.Unlock), MaxTrash: c.MaxTrash << 20,
	})
	return out, errors.Join(err, l.Close())
}

// list makes changes fit to be printed.
func (c *taskReviewCmd) list(l *folder.Layer, changes []folder.Change) []reviewedChange {
	out := plainList(changes)
	for i := range out {
		if !c.Diff {
			break
		}
		text, err := l.Diff(changes[i])
		if err != nil {
			continue // it changed this moment; the next look shows it
		}
		lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		if len(lines) > 3 { // the names at its head are known
			lines = lines[3:]
		}
		if len(lines) > diffLines {
			lines = append(lines[:diffLines], fmt.Sprintf("… %d lines more", len(lines)-diffLines))
		}
		out[i].Diff = plaintext.Block(strings.Join(lines, "\n"))
	}
	return out
}

func plainList(changes []folder.Change) []reviewedChange {
	out := []reviewedChange{}
	for _, c := range changes {
		r := reviewedChange{
			Kind: c.Kind, Path: plaintext.Line(c.Path), From: plaintext.Line(c.From), Type: typeName(c.Type), Size: c.Size, OldSize: c.OldSize,
			Target: plaintext.Line(c.Target), Refused: c.Refused, Conflict: c.Conflict, Protected: c.Protected,
		}
		if !utf8.ValidString(c.Path) || r.Path != c.Path {
			r.Bytes = base64.StdEncoding.EncodeToString([]byte(c.Path))
		}
		if c.Kind != deskhand.Deleted {
			r.Mode = fmt.Sprintf("%04o", c.Mode.Perm())
		}
		if c.Kind != deskhand.Added {
			r.OldMode = fmt.Sprintf("%04o", c.OldMode.Perm())
		}
		out = append(out, r)
	}
	return out
}

func typeName(m fs.FileMode) string {
	switch m {
	case 0:
		return "file"
	case fs.ModeDir:
		return "folder"
	case fs.ModeSymlink:
		return "link"
	}
	return "special"
}

// megabytes tells of a size, never as nothing when it is something.
func megabytes(bytes int64) string {
	if bytes > 0 && bytes < 1e5 {
		return fmt.Sprintf("%.1f kB", float64(bytes)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
}

func pathsOf(all []reviewedChange) []string {
	out := []string{}
	for _, c := range all {
		out = append(out, c.Path)
	}
	return out
}

func (a *app) showFolder(t deskhand.Task, f reviewedFolder) {
	fmt.Fprintln(a.stdout, plaintext.Line(transcript.FilesChanged(deskhand.FileChanged{Folder: f.Path, Count: f.Count, Written: f.Layer == folder.Direct})))
	if f.Bytes+f.Trash > 0 {
		fmt.Fprintf(a.stdout, "  (the layer holds %s, the trash %s, until deskhand task rm %s)\n", megabytes(f.Bytes), megabytes(f.Trash), t.ID)
	}
	for _, c := range f.Changes {
		fmt.Fprintln(a.stdout, "  "+changeLine(c))
		for line := range strings.Lines(c.Diff) {
			fmt.Fprintln(a.stdout, "      "+strings.TrimSuffix(line, "\n"))
		}
	}
}

func (a *app) showOutcome(verb string, f reviewedFolder) {
	fmt.Fprintf(a.stdout, "%s: %d. Left: %d.\n", verb, len(f.Applied), len(f.Changes))
	for _, c := range f.Applied {
		if c.Kind == deskhand.Deleted {
			fmt.Fprintln(a.stdout, "  "+changeLine(c))
		}
	}
	for _, c := range f.Changes {
		fmt.Fprintln(a.stdout, "  left: "+changeLine(c))
	}
}

// changeLine tells of a change on one line. Its texts are fit to be shown.
func changeLine(c reviewedChange) string {
	line := fmt.Sprintf("%-8s %s", c.Kind, c.Path)
	if c.Type == "folder" {
		line += "/"
	}
	if c.From != "" {
		line += " (was " + c.From + ")"
	}
	if c.Type == "link" && c.Target != "" {
		line += " → " + c.Target
	}
	switch {
	case c.Type == "file" && c.Kind == deskhand.Changed:
		line += fmt.Sprintf("  %d → %d bytes", c.OldSize, c.Size)
	case c.Type == "file" && c.Kind == deskhand.Deleted:
		line += fmt.Sprintf("  %d bytes", c.OldSize)
	case c.Type == "file":
		line += fmt.Sprintf("  %d bytes", c.Size)
	}
	if c.Mode != "" && c.OldMode != "" && c.Mode != c.OldMode {
		line += "  mode " + c.OldMode + " → " + c.Mode
	}
	if c.Refused != "" {
		line += "  [" + c.Refused + "]"
	}
	return line
}

type taskUndoCmd struct {
	ID   string `arg:"" help:"Task id, or its beginning."`
	JSON bool   `name:"json" help:"Print one JSON object instead of text."`
}

// Run puts back what was applied of a task.
func (c *taskUndoCmd) Run(ctx context.Context, a *app) error {
	st, t, err := a.task(ctx, c.ID)
	if err != nil {
		return err
	}
	layers, err := a.reviewable(t)
	if err != nil {
		return err
	}
	out := reviewed{Task: t.ID, Folders: []reviewedFolder{}}
	var failed []error
	for _, i := range slices.Sorted(maps.Keys(layers)) {
		l := layers[i]
		done, err := undo(ctx, l)
		if deskhand.CodeOf(err) == deskhand.NotFound {
			continue
		}
		f := reviewedFolder{Path: l.Folder(), Layer: l.Kind(), Count: summed(l, done.Applied).Count, Changes: plainList(done.Left), Applied: plainList(done.Applied)}
		out.Folders = append(out.Folders, f)
		if !c.JSON {
			fmt.Fprintln(a.stdout, plaintext.Line(f.Path))
			a.showOutcome("Undone", f)
		}
		_, recorded := st.Append(ctx, deskhand.NewEvent(t.ID, deskhand.KindFileReviewed, deskhand.FileReviewed{
			Folder: l.Folder(), Undone: true, Applied: pathsOf(f.Applied), Left: len(f.Changes),
		}))
		failed = append(failed, err, recorded)
	}
	if len(out.Folders) == 0 {
		failed = append(failed, deskhand.Errorf("", deskhand.NotFound, "nothing of task %s is applied to a folder, so there is nothing to undo", t.ID))
	}
	if c.JSON {
		printJSON(a.stdout, out)
	}
	return errors.Join(failed...)
}

func undo(ctx context.Context, l *folder.Layer) (folder.Outcome, error) {
	if err := l.Lock(); err != nil {
		return folder.Outcome{}, err
	}
	out, err := l.Undo(ctx)
	return out, errors.Join(err, l.Close())
}
