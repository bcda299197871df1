package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/deskhand/deskhand/sandbox"
)

// xdotool performs calls by spawning xdotool inside the sandbox, as programs do
// that have no driver of their own: the peer to compare with. It has no loop, no
// screenshots and waits for nothing but itself.
type xdotool struct {
	sandbox sandbox.Sandbox
	took    map[string][]time.Duration // by name of the call
}

// between is how long the peer is given between two calls for programs to
// follow, since it cannot see when they have. deskhand waits for the screen.
const between = 80 * time.Millisecond

// play is an actor.
func (x *xdotool) play(ctx context.Context, _ string, source next) error {
	for range maxReplies {
		calls, err := source(ctx)
		if err != nil || len(calls) == 0 {
			return err
		}
		for _, c := range calls {
			if err := x.perform(ctx, c); err != nil {
				return fmt.Errorf("%s: %w", c.Name, err)
			}
			if err := wait(ctx, between); err != nil {
				return err
			}
		}
	}
	return fmt.Errorf("not done after %d replies", maxReplies)
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// perform runs xdotool once. What has no arguments needs no xdotool.
func (x *xdotool) perform(ctx context.Context, c call) error {
	if c.Name == "wait" {
		seconds, _ := c.Input["duration"].(float64)
		return wait(ctx, time.Duration(seconds*float64(time.Second)))
	}
	write, ok := sentences[c.Name]
	if !ok {
		return fmt.Errorf("xdotool was not told how")
	}
	begun := time.Now()
	p, err := x.sandbox.Exec(ctx, sandbox.Cmd{Args: append([]string{"xdotool"}, write(c.Input)...)})
	if err != nil {
		return err
	}
	said, err := io.ReadAll(p.Stderr())
	if err != nil {
		return err
	}
	exit, err := p.Wait()
	if err != nil || exit.Status != 0 {
		return fmt.Errorf("xdotool failed (%d): %s %w", exit.Status, said, err)
	}
	x.took[c.Name] = append(x.took[c.Name], time.Since(begun))
	return nil
}

// sentences says each call in xdotool's words.
var sentences = map[string]func(in map[string]any) []string{
	"left_click":   clicks("1", "1"),
	"double_click": clicks("1", "2"),
	"triple_click": clicks("1", "3"),
	"right_click":  clicks("3", "1"),
	"middle_click": clicks("2", "1"),
	"mouse_move":   func(in map[string]any) []string { return to(in, "coordinate") },
	"left_click_drag": func(in map[string]any) []string {
		words := append(to(in, "start_coordinate"), "mousedown", "1")
		from, _ := in["start_coordinate"].([2]int)
		end, _ := in["coordinate"].([2]int)
		const steps = 10
		for i := 1; i <= steps; i++ {
			words = append(words, "mousemove", strconv.Itoa(from[0]+(end[0]-from[0])*i/steps), strconv.Itoa(from[1]+(end[1]-from[1])*i/steps), "sleep", "0.01")
		}
		return append(words, "mouseup", "1")
	},
	"left_mouse_down": func(map[string]any) []string { return []string{"mousedown", "1"} },
	"left_mouse_up":   func(map[string]any) []string { return []string{"mouseup", "1"} },
	"type": func(in map[string]any) []string {
		return []string{"type", "--delay", "1", "--", fmt.Sprint(in["text"])}
	},
	"key": func(in map[string]any) []string {
		n, _ := in["repeat"].(float64)
		return []string{"key", "--repeat", strconv.Itoa(max(1, int(n))), "--", fmt.Sprint(in["text"])}
	},
	"scroll": func(in map[string]any) []string {
		n, _ := in["scroll_amount"].(float64)
		button := map[string]string{"up": "4", "down": "5", "left": "6", "right": "7"}[fmt.Sprint(in["scroll_direction"])]
		return append(to(in, "coordinate"), "click", "--repeat", strconv.Itoa(int(n)), "--delay", "1", button)
	},
}

// to moves to a point of the input, if there is one.
func to(in map[string]any, field string) []string {
	at, ok := in[field].([2]int)
	if !ok {
		return nil
	}
	return []string{"mousemove", strconv.Itoa(at[0]), strconv.Itoa(at[1])}
}

func clicks(button, count string) func(in map[string]any) []string {
	return func(in map[string]any) []string {
		var words, after []string
		if held, _ := in["text"].(string); held != "" {
			for _, key := range strings.Split(held, "+") {
				words = append(words, "keydown", key)
				after = append(after, "keyup", key)
			}
		}
		words = append(append(words, to(in, "coordinate")...), "click", "--repeat", count, "--delay", "30", button)
		return append(words, after...)
	}
}
