package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deskhand/deskhand"
)

// TestExportLines: the lines are the bytes that the chain is of, so that
// anything that can hash can follow it.
func TestExportLines(t *testing.T) {
	t.Parallel()
	s := newState(t)
	id := s.task("screen")
	out, errs, status := s.run("task", "export", string(id), "--format", "jsonl", "-o", "-")
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if status != 0 || errs != "" || len(lines) != 8 {
		t.Fatalf("status %d, %d lines, %q", status, len(lines), errs)
	}
	var prev deskhand.Hash
	for i, line := range lines {
		var e deskhand.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if e.Seq != int64(i+1) || e.Prev != prev {
			t.Errorf("line %d is event %d after %s, want after %s", i+1, e.Seq, e.Prev, prev)
		}
		prev = deskhand.HashOf([]byte(line))
	}
	if out, _, _ := s.run("task", "verify", string(id)); !strings.Contains(out, string(prev)) {
		t.Errorf("the hash of the last line is %s, and verify says %s", prev, out)
	}
}

func TestExportTrace(t *testing.T) {
	t.Parallel()
	s := newState(t)
	id := s.task("screen")
	var sent [][]byte
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.URL.Path != "/v1/traces" {
			w.WriteHeader(http.StatusBadRequest)
		}
		sent = append(sent, body)
	}))
	defer collector.Close()
	file := filepath.Join(t.TempDir(), "trace.json")
	out, errs, status := s.run("task", "export", string(id), "--format", "otlp", "-o", file)
	if status != 0 || !strings.HasPrefix(out, "Wrote "+file) {
		t.Fatalf("status %d, %q, %q", status, out, errs)
	}
	written, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"name":"invoke_agent deskhand"`, `"name":"execute_tool left_click"`, `"name":"deskhand.call.judged"`, `"mode:trust"`} {
		if !strings.Contains(string(written), want) {
			t.Errorf("the file has no %s: %s", want, written)
		}
	}
	if out, errs, status = s.run("task", "export", string(id), "--otlp-endpoint", collector.URL); status != 0 || out != "Sent 4 spans of task "+string(id)+".\n" {
		t.Errorf("status %d, %q, %q", status, out, errs)
	}
	if len(sent) != 1 || string(sent[0]) != string(written) {
		t.Errorf("what was sent is not what was written: %q", sent)
	}
	collector.Close()
	if out, errs, status = s.run("task", "export", string(id), "--otlp-endpoint", collector.URL); status != 1 || out != "" || !oneSentence(errs, "is a collector listening there?") {
		t.Errorf("nobody listens: status %d, %q, %q", status, out, errs)
	}
	for _, wrong := range [][]string{{"--format", "xml"}, {"--content"}, {"--otlp-endpoint", "localhost:4318"}, {"--otlp-endpoint", collector.URL, "-o", "x.html"}} {
		if out, errs, status := s.run(append([]string{"task", "export", string(id)}, wrong...)...); status != 2 || out != "" || !oneSentence(errs, "") {
			t.Errorf("%q: status %d, %q, %q", wrong, status, out, errs)
		}
	}
}
