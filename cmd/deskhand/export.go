package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/transcript"
)

type taskExportCmd struct {
	ID    string `arg:"" help:"Task id, or its beginning."`
	Out   string `short:"o" name:"output" placeholder:"FILE" help:"Where to write; - is standard output (default deskhand-ID.html here)."`
	Force bool   `help:"Overwrite a file that is there."`
}

// Run writes the page.
func (c *taskExportCmd) Run(ctx context.Context, a *app) error {
	st, task, err := a.task(ctx, c.ID)
	if err != nil {
		return err
	}
	story, err := tell(ctx, st, task.ID)
	if err != nil {
		return err
	}
	write := func(w io.Writer) error {
		return transcript.WritePage(w, story, task, func(h deskhand.Hash) ([]byte, error) { return st.Blob(ctx, h) })
	}
	if c.Out == "-" {
		return write(a.stdout)
	}
	path := c.Out
	if path == "" {
		path = "deskhand-" + string(task.ID) + ".html"
	}
	if err := writeWhole(path, c.Force, write); err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "Wrote %s. It holds everything that was on the screen: look before you share it.\n", path)
	return nil
}

// writeWhole makes what write produces the file at path, all of it or nothing.
// The file is for its owner only: it may hold what was on a screen.
func writeWhole(path string, overwrite bool, write func(io.Writer) error) error {
	if _, err := os.Lstat(path); err == nil && !overwrite {
		return exists(path)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".deskhand-*")
	if err != nil {
		return usage("%q cannot be written (%s): choose another place with -o", path, cause(err))
	}
	defer os.Remove(tmp.Name()) // gone already when all went well
	buf := bufio.NewWriterSize(tmp, 1<<20)
	if err := errors.Join(write(buf), buf.Flush(), tmp.Close()); err != nil {
		return deskhand.Errorf("", deskhand.Unavailable, "%q could not be written: %w", path, firstOf(err))
	}
	if overwrite {
		err = os.Rename(tmp.Name(), path)
	} else {
		err = os.Link(tmp.Name(), path) // fails when somebody was faster
	}
	if errors.Is(err, fs.ErrExist) {
		return exists(path)
	} else if err != nil && !overwrite { // a file system without links
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return usage("%q cannot be written (%s): choose another place with -o", path, cause(err))
	}
	return nil
}

func exists(path string) error {
	return deskhand.Errorf("", deskhand.Conflict, "%q is there already: choose another place with -o, or overwrite it with --force", path)
}
