// Command crash kills deskhand at every event of a task on a real desktop, and
// has a page in a browser there count what arrives: nothing that was
// acknowledged may be lost, and nothing may be done twice.
//
// The task is played by a script that is served over HTTP and outlives every
// process of deskhand. "deskhand run --keep" is killed with SIGKILL when the
// rig has read an event from its pipe, "deskhand task resume" goes on, and the
// page's counts are read off a picture that "deskhand desktop shot" takes. Then
// the guest, the X server, the browser, and everything at once are killed while
// a call runs.
//
//	go run ./test/crash -deskhand bin/deskhand    every event, as a table
//	go test ./test/crash                          a few events, and every part
//
// It ends only processes that it started, by their number and start time, and
// reaches no model.
//
// Trust: what is on the desktop is the rig's own page.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := obey(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// The exit statuses.
const (
	exitHeld  = 0
	exitBroke = 1
	exitUsage = 2
)

// maxEvents bounds the matrix: the task has about fifty.
const maxEvents = 200

func obey(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("crash", flag.ContinueOnError)
	flags.SetOutput(stderr)
	program := flags.String("deskhand", "", "the program to kill")
	every := flags.Int("every", 1, "kill at each nth event only")
	if err := flags.Parse(args); err != nil {
		return exitUsage
	}
	if *program == "" || *every < 1 || flags.NArg() > 0 {
		fmt.Fprintln(stderr, "crash: say -deskhand FILE, the program to kill")
		return exitUsage
	}
	if missing := needed(); missing != "" {
		fmt.Fprintf(stderr, "crash: there is no %s: deskhand doctor --fix installs it\n", missing)
		return exitUsage
	}
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	broke := matrix(ctx, w, *program, *every)
	broke += parts(ctx, w, *program)
	if broke > 0 || ctx.Err() != nil {
		fmt.Fprintf(stderr, "crash: %d deaths broke a promise\n", broke)
		return exitBroke
	}
	return exitHeld
}

// matrix kills the runtime at every nth event and prints a line for each. It
// returns how often a promise was broken.
func matrix(ctx context.Context, w *tabwriter.Writer, program string, every int) (broke int) {
	fmt.Fprintln(w, "killed after\tread\tin the journal\tin flight\tfinished\tunknown\tnot run\tcounted by the page\tpromises")
	for n := 1; n <= maxEvents && ctx.Err() == nil; n += every {
		r, err := killRuntime(ctx, program, after(n))
		if r.ended && r.at.Kind == "" {
			break // it has fewer events
		}
		if err != nil {
			broke++
		}
		fmt.Fprintf(w, "%d %s\t%d\t%d\t%d\t%s\t%s\n", n, r.at.Kind, r.acked, r.stored, count(r.dead, running), r.ends(), verdict(err))
		_ = w.Flush() // a terminal that is gone
	}
	return broke
}

// parts plays the scenarios and prints a line for each.
func parts(ctx context.Context, w *tabwriter.Writer, program string) (broke int) {
	fmt.Fprintln(w, "\nkilled while a call ran\tfinished\tunknown\tnot run\tcounted by the page\tpromises")
	for _, s := range scenarios() {
		if ctx.Err() != nil {
			break
		}
		r, err := s.play(ctx, program)
		if err != nil {
			broke++
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", s.name, r.ends(), verdict(err))
		_ = w.Flush() // a terminal that is gone
	}
	return broke
}

// ends says how the calls ended and what the page counted, as columns.
func (r report) ends() string {
	return fmt.Sprintf("%d\t%d\t%d\t%s", count(r.fates, finished), count(r.fates, unknown), count(r.fates, never), r.counted.short())
}

func verdict(err error) string {
	if err != nil {
		return "BROKEN: " + strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	return "held"
}
