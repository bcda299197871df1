package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/deskhand/deskhand/sandbox"
)

// The peers run inside the same sandbox on the same display, and time
// themselves with the shell's clock, so that our own way in does not count
// against them. %d is the number of rounds.
const (
	peerClick = `for i in $(seq %d); do s=$EPOCHREALTIME
xdotool mousemove $((300 + i %% 7)) 300 click 1
echo $((${EPOCHREALTIME/./} - ${s/./})); done`
	peerShot = `for i in $(seq %d); do s=$EPOCHREALTIME
scrot --overwrite --pointer /tmp/peer.png
echo $((${EPOCHREALTIME/./} - ${s/./})); done`
	peerScaled = `for i in $(seq %d); do s=$EPOCHREALTIME
scrot --overwrite --pointer /tmp/peer.png && convert /tmp/peer.png -resize 1456x819! /tmp/peer-small.png
echo $((${EPOCHREALTIME/./} - ${s/./})); done`
	peerType = `text=$(head -c 1000 /dev/zero | tr '\0' 'a')
for i in $(seq %d); do s=$EPOCHREALTIME
xdotool type --delay 12 -- "$text"
echo $((${EPOCHREALTIME/./} - ${s/./})); done`
)

// peer runs script and returns the microseconds it printed, a line each.
func peer(ctx context.Context, sb sandbox.Sandbox, script string, rounds int) (sample, error) {
	p, err := sb.Exec(ctx, sandbox.Cmd{Args: []string{"/bin/bash", "-c", fmt.Sprintf(script, rounds)}})
	if err != nil {
		return nil, err
	}
	p.Stdin().Close()
	var s sample
	lines := bufio.NewScanner(p.Stdout())
	for lines.Scan() {
		us, err := strconv.ParseInt(strings.TrimSpace(lines.Text()), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("a peer said %q instead of a time", lines.Text())
		}
		s = append(s, time.Duration(us)*time.Microsecond)
	}
	said, err := io.ReadAll(p.Stderr())
	if err != nil {
		return nil, err
	}
	exit, err := p.Wait()
	if err == nil && exit.Status != 0 {
		err = fmt.Errorf("a peer failed with status %d: %s", exit.Status, said)
	}
	return s, err
}
