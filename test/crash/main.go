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
	only := flags.String("only", "", "play only the deaths of parts whose name has this in it")
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
	broke := 0
	if *only == "" {
		broke = matrix(ctx, stdout, *program, *every)
	}
	broke += parts(ctx, stdout, *program, *only)
	if broke > 0 || ctx.Err() != nil {
		fmt.Fprintf(stderr, "crash: %d deaths broke a promise\n", broke)
		return exitBroke
	}
	return exitHeld
}

// head begins a table, in the form that docs/crash.md has it.
func head(w io.Writer, columns ...string) {
	fmt.Fprintf(w, "| %s |\n|%s\n", strings.Join(columns, " | "), strings.Repeat("---|", len(columns)))
}

// matrix kills the runtime at every nth event and prints a line for each. It
// returns how often a promise was broken.
func matrix(ctx context.Context, w io.Writer, program string, every int) (broke int) {
	head(w, "killed after", "read", "in the journal", "in flight", "finished", "unknown", "not run", "counted by the page", "promises")
	for n := 1; n <= maxEvents && ctx.Err() == nil; n += every {
		r, err := killRuntime(ctx, program, after(n))
		if r.ended && r.at.Kind == "" {
			break // it has fewer events
		}
		if err != nil {
			broke++
		}
		fmt.Fprintf(w, "| %d %s | %d | %d | %d | %s | %s |\n", n, r.at.Kind, r.acked, r.stored, count(r.dead, running), r.ends(), verdict(err))
	}
	return broke
}

// parts plays the scenarios whose name has only in it and prints a line for each.
func parts(ctx context.Context, w io.Writer, program, only string) (broke int) {
	fmt.Fprintln(w)
	head(w, "killed while a call ran", "finished", "unknown", "not run", "counted by the page", "promises")
	for _, s := range scenarios() {
		if ctx.Err() != nil {
			break
		}
		if !strings.Contains(s.name, only) {
			continue
		}
		r, err := s.play(ctx, program)
		if err != nil {
			broke++
		}
		fmt.Fprintf(w, "| %s | %s | %s |\n", s.name, r.ends(), verdict(err))
	}
	return broke
}

// ends says how the calls ended and what the page counted, as columns.
func (r report) ends() string {
	return fmt.Sprintf("%d | %d | %d | %s", count(r.fates, finished), count(r.fates, unknown), count(r.fates, never), r.counted.short())
}

func verdict(err error) string {
	if err != nil {
		return "BROKEN: " + strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	return "held"
}
