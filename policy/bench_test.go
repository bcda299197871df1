package policy

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
)

// BenchmarkJudge judges every command and every label of the corpora with fifty
// rules, and reports the 99th percentile and the worst of single verdicts.
func BenchmarkJudge(b *testing.B) {
	type question struct {
		call deskhand.Call
		at   Context
	}
	var all []question
	for _, c := range corpus(b, "shell.txt") {
		all = append(all, question{bashCallOf(c.text), Context{Sandboxed: true, Dir: "/w", Home: "/h"}})
	}
	for _, c := range corpus(b, "labels.txt") {
		raw, _ := json.Marshal(map[string]string{"text": c.text})
		all = append(all, question{deskhand.Call{Toolset: "computer", Name: "type", Input: raw}, Context{Sandboxed: true, Window: Window{Class: "xterm"}}},
			question{callOf("computer", "left_click", `{}`), Context{Element: Element{"button", c.text}, URL: "https://shop.test/a/b"}})
	}
	var lines []string
	for _, s := range []string{"git log *", "git diff *", "npm run test *", "go test ./...", "ls *"} {
		for _, o := range []string{"allow", "ask", "deny"} {
			lines = append(lines, o+" bash(x"+s+")", o+" files(write:/a/"+s[:2]+"/**)", o+" network(a"+s[:1]+".test)")
		}
	}
	rules := rulesOf(b, AskMode, lines...)
	defaultWords()
	var took []time.Duration
	b.ResetTimer()
	for i := range b.N {
		q := all[i%len(all)]
		begin := time.Now()
		Explain(q.call, rules, q.at)
		took = append(took, time.Since(begin))
	}
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
	b.ReportMetric(float64(took[len(took)-1].Microseconds()), "max-µs")
}
