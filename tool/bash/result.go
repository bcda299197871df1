package bash

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/excerpt"
)

// done is how a command ended.
type done struct {
	pid      string // of the shell
	out, err *excerpt.Excerpt
	status   int  // -1: the shell was ended before it could say
	began    bool // the shell could open the command's streams and read it
	timedOut bool // the command was stopped at the time limit
	ended    bool // the shell is gone
}

const notBegun = "Error: The command was not run: the shell cannot open files any more. Use restart for a new session."

// result words it: what was printed, what was printed as errors, how it ended.
// A status other than 0 is an error result, as with the reference tools: the
// model must not have to look for it.
func (d done) result(c Config) deskhand.Result {
	if !d.began && !d.ended && !d.timedOut {
		return deskhand.Failure(notBegun)
	}
	stdout, stderr := d.out.Text(), d.quiet(d.err.Text())
	var parts []string
	if stdout != "" {
		parts = append(parts, strings.TrimRight(stdout, "\n"))
	}
	if stderr != "" {
		parts = append(parts, "[stderr]\n"+strings.TrimRight(stderr, "\n"))
	}
	if len(parts) == 0 {
		parts = []string{noOutput}
	}
	parts = append(parts, d.ending(c)...)
	r := deskhand.Text(strings.Join(parts, "\n"))
	r.IsError = d.status != 0 || d.timedOut
	return r
}

// ending says how the command ended when there is something to say.
func (d done) ending(c Config) []string {
	lost := "Its directory, variables, functions and jobs are lost; the next command starts a new session."
	switch {
	case d.timedOut && d.ended:
		return []string{timedOut(c.Timeout), "It could not be stopped alone, so the bash session was restarted. " + lost}
	case d.timedOut:
		return []string{timedOut(c.Timeout), "It was stopped. The session is still usable; run long commands in the background with output to a file."}
	case d.ended && d.status >= 0:
		return []string{fmt.Sprintf("exit code: %d", d.status), "The command ended the shell. " + lost}
	case d.ended:
		return []string{"The shell stopped answering, so the bash session was restarted. " + lost}
	case d.status != 0:
		return []string{fmt.Sprintf("exit code: %d", d.status)}
	}
	return nil
}

func timedOut(limit time.Duration) string {
	return fmt.Sprintf("Error: command did not finish within %s seconds", strings.TrimSuffix(fmt.Sprintf("%.1f", limit.Seconds()), ".0"))
}

// quiet takes out what an interactive shell without a terminal complains of
// when a command dies of a signal, and the "exit" it says on leaving.
func (d done) quiet(stderr string) string {
	noise := regexp.MustCompile(`(?m)^bash: \[` + d.pid + `: \d+ \(\d+\)\] tcsetattr: Inappropriate ioctl for device\n`)
	stderr = noise.ReplaceAllString(stderr, "")
	if d.ended && !d.timedOut {
		if stderr == "exit\n" || strings.HasSuffix(stderr, "\nexit\n") {
			stderr = strings.TrimSuffix(stderr, "exit\n")
		}
	}
	return stderr
}
