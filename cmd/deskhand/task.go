package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/plaintext"
	"github.com/deskhand/deskhand/store"
	"github.com/deskhand/deskhand/transcript"
)

type taskCmd struct {
	List   taskListCmd   `cmd:"" help:"List the tasks that ran here, newest first."`
	Show   taskShowCmd   `cmd:"" help:"Tell what happened in a task."`
	Export taskExportCmd `cmd:"" help:"Write a task as one HTML page, as JSON lines or as an OpenTelemetry trace."`
	Review taskReviewCmd `cmd:"" help:"Show what a task changed in your folders, and apply what you accept."`
	Verify taskVerifyCmd `cmd:"" help:"Check that a task's journal and pictures are as they were written."`
	Undo   taskUndoCmd   `cmd:"" help:"Put back what was applied of a task, byte for byte."`
	Rm     taskRmCmd     `cmd:"" help:"Remove tasks with everything that is kept of them."`

	Watch     taskWatchCmd     `cmd:"" help:"Watch a task that runs elsewhere."`
	Resume    taskResumeCmd    `cmd:"" help:"Go on with a task that was cut off, stopped, failed or reached a limit."`
	Message   taskMessageCmd   `cmd:"" help:"Say something to a task; one that is done goes on with it."`
	Answer    taskAnswerCmd    `cmd:"" help:"Answer the question that a task waits for."`
	Plan      taskPlanCmd      `cmd:"" help:"Print the plan that waits for an answer, or that was accepted."`
	Interrupt taskInterruptCmd `cmd:"" help:"End the call that a task is running; the task goes on."`
	Stop      taskStopCmd      `cmd:"" help:"Stop tasks, wherever they run."`
	Replay    taskLaterCmd     `cmd:"" passthrough:"" help:"Play a task again (not yet)."`
}

type taskLaterCmd struct {
	later
}

// Run refuses.
func (taskLaterCmd) Run(a *app) error { return notYet("deskhand " + a.chosen.Selected().Path()) }

type taskListCmd struct {
	JSON  bool `name:"json" help:"Print one JSON array instead of a table."`
	Limit int  `default:"0" placeholder:"N" help:"Show only the newest N."`
}

// listed is one task of "task list --json".
type listed struct {
	summary
	Text    string    `json:"text"`
	Model   string    `json:"model"`
	Created time.Time `json:"created"`
}

// Run lists.
func (c *taskListCmd) Run(ctx context.Context, a *app) error {
	if c.Limit < 0 {
		return usage("--limit %d is negative: give a number of tasks, or 0 for all", c.Limit)
	}
	st, err := a.openStore(ctx)
	if err != nil {
		return err
	}
	tasks, err := st.List(ctx, c.Limit)
	if err != nil {
		return err
	}
	if c.JSON {
		out := []listed{}
		for _, t := range tasks {
			out = append(out, listed{summaryOf(t), t.Text, t.Model, t.Created})
		}
		printJSON(a.stdout, out)
		return nil
	}
	if len(tasks) == 0 {
		fmt.Fprintln(a.stdout, `No task ran here yet. Start one with: deskhand run "…"`)
		return nil
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tSTATUS\tSTARTED\tTURNS\tCALLS\tCOST\tTASK")
	for _, t := range tasks {
		const most = 60
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%s\t%s\n", t.ID, t.Status, t.Created.Local().Format("2006-01-02 15:04"),
			t.Turns, t.Calls, transcript.Dollars(t.CostUSD), plaintext.Clip(plaintext.Line(firstLine(t.Text)), most))
	}
	return w.Flush()
}

type taskShowCmd struct {
	ID string `arg:"" help:"Task id, or its beginning."`
}

// Run tells the story as it was told while it happened.
func (c *taskShowCmd) Run(ctx context.Context, a *app) error {
	st, task, err := a.task(ctx, c.ID)
	if err != nil {
		return err
	}
	v := newTextView(a.stdout, a.env)
	defer v.close()
	for e, err := range st.Events(ctx, task.ID, 0) {
		if err == nil {
			err = v.event(e)
		}
		if err != nil {
			return err
		}
	}
	v.end(task)
	return nil
}

type taskRmCmd struct {
	IDs []string `arg:"" name:"id" help:"Task ids, or their beginnings."`
}

// Run removes. All ids are looked up before anything is removed.
func (c *taskRmCmd) Run(ctx context.Context, a *app) error {
	st, err := a.openStore(ctx)
	if err != nil {
		return err
	}
	var tasks []deskhand.Task
	for _, id := range c.IDs {
		t, err := st.Get(ctx, id)
		if err != nil {
			return noTask(id, err)
		}
		tasks = append(tasks, t)
	}
	for _, t := range tasks {
		if err := a.remove(ctx, st, t.ID); err != nil {
			return err
		}
		fmt.Fprintf(a.stdout, "Removed %s.\n", t.ID)
	}
	return nil
}

// task opens the store and looks a task up.
func (a *app) task(ctx context.Context, id string) (store.Store, deskhand.Task, error) {
	st, err := a.openStore(ctx)
	if err != nil {
		return nil, deskhand.Task{}, err
	}
	t, err := st.Get(ctx, id)
	return st, t, noTask(id, err)
}

// noTask says that there is no such task, and how to find the right one.
func noTask(id string, err error) error {
	if deskhand.CodeOf(err) == deskhand.NotFound {
		return deskhand.Errorf("", deskhand.NotFound, `there is no task %q: "deskhand task list" shows those there are`, id)
	}
	return err
}

// tell folds the journal of a task.
func tell(ctx context.Context, st store.Journal, id deskhand.TaskID) (*transcript.Story, error) {
	story := transcript.New()
	for e, err := range st.Events(ctx, id, 0) {
		if err == nil {
			err = story.Add(e)
		}
		if err != nil {
			return nil, err
		}
	}
	return story, nil
}
