package bash

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/deskhand/deskhand/sandbox"
)

const (
	stopLimit  = 10 * time.Second // for the program that stops a command
	leaveLimit = 2 * time.Second  // for the shell to be back at its prompt after that
)

// stopScript interrupts a shell and kills what it runs, but for the background
// jobs that were there before. First the shell, then those it started, then
// those they started: whoever waits for a part to end must not live to go on
// with the next. It looks again until nothing is left, also in the process
// groups it has seen, because what runs may go on starting more.
const stopScript = `
shell=$1; shift; keep=" $* "
kill -INT "$shell"
groups=" "
for round in {1..50}; do
	declare -A parent=() group=()
	levels=()
	for stat in /proc/[0-9]*/stat; do
		line=
		{ IFS= read -r -d '' line <"$stat"; } 2>/dev/null
		set -- ${line##*) }
		[[ -n $3 && $1 != [ZX] ]] || continue
		pid=${stat#/proc/}; pid=${pid%/stat}
		parent[$pid]=$2; group[$pid]=$3
	done
	for pid in "${!parent[@]}"; do
		at=$pid; depth=1
		while [[ ${parent[$at]:-0} -gt 1 && ${parent[$at]} != "$shell" ]]; do at=${parent[$at]}; depth=$((depth + 1)); done
		[[ $keep != *" $at "* && $pid != "$shell" ]] || continue
		if [[ ${parent[$at]} == "$shell" ]]; then
			[[ ${group[$pid]} == "$shell" || $groups == *" ${group[$pid]} "* ]] || groups+="${group[$pid]} "
		else
			[[ $groups == *" ${group[$pid]} "* ]] || continue
		fi
		levels[depth]+=" $pid"
	done
	[[ ${#levels[@]} -gt 0 ]] || break
	for level in "${levels[@]}"; do kill -KILL $level 2>/dev/null; done
done
exit 0
`

// stop ends the command of the moment and gives the shell the time to notice.
// Whether that worked is seen by x.
func (s *session) stop(ctx context.Context, x *exchange) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
	defer cancel()
	s.mu.Lock()
	args := append([]string{"/bin/bash", "--norc", "-c", stopScript, "stop", s.pid}, x.jobs...)
	s.mu.Unlock()
	killer, err := s.sandbox.Exec(ctx, sandbox.Cmd{Args: args})
	if err != nil {
		return // the shell is ended instead
	}
	var reading sync.WaitGroup
	reading.Go(func() { _, _ = io.Copy(io.Discard, killer.Stdout()) })
	reading.Go(func() { _, _ = io.Copy(io.Discard, killer.Stderr()) })
	over := context.AfterFunc(ctx, func() { _ = killer.Kill() })
	reading.Wait()
	over()
	_ = killer.Stdin().Close()
	select {
	case <-x.said:
	case <-s.over:
	case <-time.After(leaveLimit):
	}
}
