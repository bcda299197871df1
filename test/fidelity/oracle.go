package main

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"strings"
)

// Oracles look at a page as a person would and say what to do. They are
// JavaScript that runs beside the page, in a world of its own: it sees the
// elements, none of the page's variables, and changes nothing. An oracle is a
// generator; each yield is a list of actions, after which it looks again.
//
//go:embed oracle
var oracleFiles embed.FS

// oracleSource returns all oracles as one script that leaves the global Oracle.
func oracleSource() (string, error) {
	entries, err := fs.ReadDir(oracleFiles, "oracle")
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("globalThis.Oracle = (() => { 'use strict'; const tasks = {};\n")
	for _, e := range entries { // in name order: 0page.js first
		data, err := fs.ReadFile(oracleFiles, "oracle/"+e.Name())
		if err != nil {
			return "", err
		}
		b.Write(data)
	}
	b.WriteString("\nreturn {tasks, most: () => most, run(name) { if (early[name]) early[name](); this.steps = tasks[name](); }, async next() { for (;;) { const s = await this.steps.next(); if (s.done || s.value.flat().length) return s.done ? [] : s.value.flat(); } }}; })(); Object.keys(Oracle.tasks)")
	return b.String(), nil
}

// place is where the page lies on the screen, in CSS pixels, and how many
// pixels of the display one of them is.
type place struct {
	X     float64 `json:"x"`
	Y     float64 `json:"y"`
	Scale float64 `json:"scale"`
}

const placeSource = `({x: screenX + (outerWidth - innerWidth) / 2, y: screenY + outerHeight - innerHeight, scale: devicePixelRatio})`

// points are the fields of an input that are points of the page.
var points = []string{"coordinate", "start_coordinate"}

// onScreen turns points of the page into pixels of the display.
func (p place) onScreen(calls []call) error {
	for _, c := range calls {
		for _, name := range points {
			v, ok := c.Input[name]
			if !ok {
				continue
			}
			raw, err := json.Marshal(v)
			if err != nil {
				return err
			}
			var at [2]float64
			if err := json.Unmarshal(raw, &at); err != nil {
				return fmt.Errorf("%s of %s is not a point of the page: %s", name, c.Name, raw)
			}
			c.Input[name] = [2]int{int(math.Floor((at[0] + p.X) * p.Scale)), int(math.Floor((at[1] + p.Y) * p.Scale))}
		}
	}
	return nil
}

// ask returns what the oracle wants done next, in pixels of the display.
func (b *browser) ask(ctx context.Context, world int) ([]call, error) {
	var calls []call
	if err := b.evaluate(ctx, world, "Oracle.next()", &calls); err != nil {
		return nil, err
	}
	if len(calls) == 0 {
		return nil, nil
	}
	var p place
	if err := b.evaluate(ctx, world, placeSource, &p); err != nil {
		return nil, err
	}
	if err := p.onScreen(calls); err != nil {
		return nil, err
	}
	return calls, nil
}
