// Command fidelity is the GUI fidelity rig: it asks whether what deskhand is
// told to do on a screen is what arrives there, and lets web pages that others
// wrote be the judge.
//
// Pages are served and shown inside the sandbox, in Chromium on the virtual
// desktop. An oracle reads the page and says what a person would do; those
// actions become replies of the Messages API (model/script), and deskhand
// performs them through the whole loop: model, agent, tool, guest, X server,
// screenshot. The page says whether the task was done. DevTools seed and start
// an episode, show the page to the oracle and read the reward; they never act.
//
//	go run ./test/fidelity -miniwob DIR    the public MiniWoB++ pages, as a table
//	go run ./test/fidelity keyboard        every text under every layout into three programs, as a table
//	go test ./test/fidelity                our own pages and a part of the keyboard, quick enough for every change
//
// Trust: pages and oracles run in the sandbox; what comes back is measured and
// printed as text.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/deskhand/deskhand/guest"
	"github.com/deskhand/deskhand/guest/stack"
)

func main() {
	if status, ok := inside(os.Args[1:], os.Stdout, os.Stderr); ok {
		syscall.Exit(status)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	do, args := obey, os.Args[1:]
	if len(args) > 0 && args[0] == keyboardCommand {
		do, args = obeyKeyboard, args[1:]
	}
	status, err := do(ctx, args, os.Stdout, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "fidelity:", err)
	}
	stop()
	os.Exit(status)
}

// inside runs what this same program is inside the sandbox: the guest, and the
// server of the pages. It reports whether it was asked for one of them.
func inside(args []string, stdout, stderr io.Writer) (status int, ok bool) {
	if len(args) == 0 {
		return 0, false
	}
	switch args[0] {
	case "guest":
		return guest.Main(args[1:], os.Stdin, stderr, stack.Open), true
	case pagesCommand:
		return servePages(args[1:], stdout, stderr), true
	}
	return 0, false
}

// The exit statuses.
const (
	exitPassed = 0
	exitFailed = 1
	exitUsage  = 2
)

// order is what a person asks of the rig.
type order struct {
	pages     string // directory with miniwob/*.html; its parent is served
	scales    []int
	seeds     int
	peerSeeds int      // of those, that xdotool plays too
	tasks     []string // empty: all
	fault     string   // in the actor of the whole run
	faults    bool     // try each fault on the witnesses
	book      string   // file that keeps what was played, so that a run that was interrupted goes on
	out       string
	shots     string // directory for pictures of what was not passed
	command   string // as typed, for the report
}

func readOrder(args []string, stderr io.Writer) (order, error) {
	flags := flag.NewFlagSet("fidelity", flag.ContinueOnError)
	flags.SetOutput(stderr)
	dir := flags.String("miniwob", "", "folder of MiniWoB++: its top, miniwob/html, or any folder with miniwob/click-button.html")
	scales := flags.String("scales", "1,2", "device scale factors")
	seeds := flags.Int("seeds", 5, "episodes of each task")
	peerSeeds := flags.Int("xdotool-seeds", 2, "of those, episodes that xdotool plays too")
	tasks := flags.String("tasks", "", "tasks, separated by commas; default: all")
	fault := flags.String("fault", "", "put a fault into the actor: "+strings.Join(faultNames(), ", "))
	tryAll := flags.Bool("faults", true, "also try each fault on the pages that should notice it")
	keep := flags.String("book", "", "file that keeps what was played; given again, the run goes on where it was")
	out := flags.String("out", "", "file for the report; default: standard output")
	shots := flags.String("shots", "", "directory for pictures of the screen after what was not passed")
	if err := flags.Parse(args); err != nil {
		return order{}, err
	}
	o := order{command: "make fidelity MINIWOB=DIR", seeds: *seeds, peerSeeds: *peerSeeds, fault: *fault, faults: *tryAll && *tasks == "" && *fault == "", book: *keep, out: *out, shots: *shots}
	if *tasks != "" {
		o.tasks = strings.Split(*tasks, ",")
	}
	for _, s := range strings.Split(*scales, ",") {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > 3 {
			return o, fmt.Errorf("-scales %s: give numbers from 1 to 3, such as 1,2", *scales)
		}
		o.scales = append(o.scales, n)
	}
	if _, ok := faults[o.fault]; o.fault != "" && !ok {
		return o, fmt.Errorf("there is no fault %q; there are %s", o.fault, strings.Join(faultNames(), ", "))
	}
	var err error
	o.pages, err = findPages(*dir)
	if more := strings.Join(slices.DeleteFunc(slices.Clone(args), func(a string) bool {
		return slices.Contains([]string{"-miniwob", *dir, "-out", *out, "-book", *keep, "-shots", *shots}, a)
	}), " "); more != "" {
		o.command += fmt.Sprintf(" ARGS=%q", more)
	}
	return o, err
}

// errNoPages is the one clear line for a folder that is not there.
var errNoPages = errors.New("the MiniWoB++ pages are not here: get github.com/Farama-Foundation/miniwob-plusplus and say make fidelity MINIWOB=DIR")

// findPages returns the folder to serve: the one that has miniwob/ and core/.
func findPages(dir string) (string, error) {
	if dir == "" {
		return "", errNoPages
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for _, below := range []string{"", "html", "miniwob/html", ".."} {
		root := filepath.Join(abs, below)
		if _, err := os.Stat(filepath.Join(root, "miniwob", "click-button.html")); err == nil {
			return root, nil
		}
	}
	return "", fmt.Errorf("%w (looked in %s)", errNoPages, dir)
}

func obey(ctx context.Context, args []string, stdout, stderr io.Writer) (int, error) {
	o, err := readOrder(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitPassed, nil
	case err != nil:
		return exitUsage, err
	}
	report, err := measure(ctx, o, stderr)
	if err == nil {
		report.without, err = withoutOracle(o.pages)
	}
	if err != nil {
		return exitFailed, err
	}
	out := stdout
	if o.out != "" {
		f, err := os.Create(o.out)
		if err != nil {
			return exitFailed, err
		}
		defer f.Close()
		out = f
	}
	if err := report.write(out); err != nil {
		return exitFailed, err
	}
	if failed := report.failed(); failed > 0 {
		return exitFailed, fmt.Errorf("%d episodes were not passed", failed)
	}
	if unseen := report.unseen(); len(unseen) > 0 {
		return exitFailed, fmt.Errorf("nobody noticed %s", strings.Join(unseen, ", "))
	}
	return exitPassed, nil
}
