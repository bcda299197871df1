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
	"github.com/deskhand/deskhand/store"
	"github.com/deskhand/deskhand/transcript"
	"github.com/deskhand/deskhand/transcript/otlp"
)

type taskExportCmd struct {
	ID       string `arg:"" help:"Task id, or its beginning."`
	Format   string `default:"html" enum:"html,jsonl,otlp" placeholder:"FORM" help:"html (one page), jsonl (every event as it is stored, one per line) or otlp (an OpenTelemetry trace in JSON) (default html)."`
	Out      string `short:"o" name:"output" placeholder:"FILE" help:"Where to write; - is standard output (default deskhand-ID.html, .jsonl or .otlp.json here)."`
	Force    bool   `help:"Overwrite a file that is there."`
	Endpoint string `name:"otlp-endpoint" placeholder:"URL" help:"Send the OpenTelemetry trace to a collector (OTLP over HTTP), with the headers in OTEL_EXPORTER_OTLP_HEADERS."`
	Content  bool   `help:"In the OpenTelemetry trace, also what was said, typed and read."`
}

// form is one way to write a task.
type form struct {
	ending string
	write  func(c *taskExportCmd, ctx context.Context, st store.Store, t deskhand.Task, w io.Writer) error
}

var forms = map[string]form{
	"html":  {".html", (*taskExportCmd).page},
	"jsonl": {".jsonl", (*taskExportCmd).lines},
	"otlp":  {".otlp.json", (*taskExportCmd).trace},
}

// Run writes the task, or sends it.
func (c *taskExportCmd) Run(ctx context.Context, a *app) error {
	st, task, err := a.task(ctx, c.ID)
	if err != nil {
		return err
	}
	if c.Endpoint != "" {
		if err := c.send(ctx, a, st, task); err != nil || c.Format != "otlp" || c.Out == "" {
			return err
		}
	} else if c.Content && c.Format != "otlp" {
		return usage("--content is for --format otlp: the other forms always have it all")
	}
	f := forms[c.Format]
	write := func(w io.Writer) error { return f.write(c, ctx, st, task, w) }
	if c.Out == "-" {
		return write(a.stdout)
	}
	path := c.Out
	if path == "" {
		path = "deskhand-" + string(task.ID) + f.ending
	}
	if err := writeWhole(path, c.Force, write); err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "Wrote %s. %s\n", path, c.caution())
	return nil
}

// caution says what is in a file.
func (c *taskExportCmd) caution() string {
	switch {
	case c.Format == "html":
		return "It holds everything that was on the screen: look before you share it."
	case c.Format == "jsonl" || c.Content:
		return "It holds everything that was said, typed and read: look before you share it."
	}
	return "It holds names of programs, hosts and tools, and the reasons of verdicts, which may quote what was asked for."
}

func (c *taskExportCmd) page(ctx context.Context, st store.Store, task deskhand.Task, w io.Writer) error {
	story, err := tell(ctx, st, task.ID)
	if err != nil {
		return err
	}
	return transcript.WritePage(w, story, task, func(h deskhand.Hash) ([]byte, error) { return st.Blob(ctx, h) })
}

// lines writes the bytes that the hashes of the chain are of.
func (c *taskExportCmd) lines(ctx context.Context, st store.Store, task deskhand.Task, w io.Writer) error {
	for e, err := range st.Events(ctx, task.ID, 0) {
		if err != nil {
			return err
		}
		body, err := e.Canonical()
		if err != nil {
			return deskhand.E("export", deskhand.Conflict, err)
		}
		if _, err := w.Write(append(body, '\n')); err != nil {
			return deskhand.E("export", deskhand.Unavailable, err)
		}
	}
	return nil
}

func (c *taskExportCmd) traced(ctx context.Context, st store.Store, task deskhand.Task) (otlp.Trace, error) {
	return otlp.Of(st.Events(ctx, task.ID, 0), otlp.Options{Version: version(), Content: c.Content})
}

func (c *taskExportCmd) trace(ctx context.Context, st store.Store, task deskhand.Task, w io.Writer) error {
	t, err := c.traced(ctx, st, task)
	if err != nil {
		return err
	}
	return t.Write(w)
}

func (c *taskExportCmd) send(ctx context.Context, a *app, st store.Store, task deskhand.Task) error {
	if c.Format != "otlp" && c.Out != "" {
		return usage("--otlp-endpoint sends a trace; to write a file as well, give --format otlp")
	}
	to, err := otlp.NewEndpoint(c.Endpoint, a.env("OTEL_EXPORTER_OTLP_HEADERS"))
	if err != nil {
		return usage("--otlp-endpoint: %s", told(err))
	}
	t, err := c.traced(ctx, st, task)
	if err != nil {
		return err
	}
	if err := t.Send(ctx, to); err != nil {
		return err
	}
	if c.Out != "-" {
		fmt.Fprintf(a.stdout, "Sent %s of task %s.\n", plural(t.Spans(), "span"), task.ID)
	}
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
