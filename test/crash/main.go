package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"time"
	"strings"
	"encoding/json"

	"golang.org/x/sys/unix"

	"github.com/deskhand/deskhand"
)

func main() {
	ctx := context.Background()
	turns := []turn{{calls: []asked{look}}, {true, []asked{pointed("left_click", clickOne), holding}}, {calls: []asked{look}}}
	p, err := newPlace(os.Args[1], writeScript(turns...))
	if err != nil {
		panic(err)
	}
	t := time.Now()
	v := victim(os.Args[2])
	if v == "ps" {
		p.start(ctx, func(r *process, e deskhand.Event) error {
			if e.Kind == deskhand.KindCallStarted && len(r.events) > 10 {
				_, all, err := p.below()
				fmt.Println(err)
				for _, one := range all { fmt.Println(one.PID, commandLine(one.PID)) }
				return fmt.Errorf("x")
			}
			return nil
		})
		p.close(ctx)
		return
	}
	r, err := p.start(ctx, func(r *process, e deskhand.Event) error {
		var d deskhand.CallStarted
		json.Unmarshal(e.Data, &d)
		if e.Kind == deskhand.KindCallStarted && d.Call.Name == "hold_key" {
			var want counts
			want[holdDown] = 1
			c, err := p.await(ctx, want)
			fmt.Println("before", c, err)
			if v == "runtime" { return r.kill() }
			if v == "power" { return p.cutPower(r) }
			return p.signal(v, unix.SIGKILL)
		}
		return nil
	})
	for i, e := range r.events {
		d := string(e.Data)
		if len(d) > 400 { d = d[:400] }
		if i > 5 { fmt.Println(i+1, e.Time.Sub(t).Round(time.Millisecond), e.Kind, d) }
	}
	fmt.Println(strings.TrimSpace(r.errors.String()), err)
	fmt.Println(p.counted(ctx))
	if v == "runtime" || v == "power" {
		r, err := p.resume(ctx)
		for i, e := range r.events {
			d := string(e.Data)
			if len(d) > 400 { d = d[:400] }
			fmt.Println(i+1, e.Time.Sub(t).Round(time.Millisecond), e.Kind, d)
		}
		fmt.Println(err)
		fmt.Println(p.counted(ctx))
	}
	fmt.Println(p.player.script.Problems(), p.dir)
	exec.Command("cp", p.dir+"/shot.png", "/tmp/shot.png").Run()
	fmt.Println(p.close(ctx), time.Since(t))
}
