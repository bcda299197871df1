package bwrap_test

import (
	"bufio"
	"io"
	"testing"

	"github.com/deskhand/deskhand/sandbox"
	"github.com/deskhand/deskhand/sandbox/bwrap"
)

// BenchmarkStart measures from nothing to the guest's first answer.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		s, err := bwrap.Start(b.Context(), bwrap.Config{})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// BenchmarkClose measures an orderly end.
func BenchmarkClose(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		s, err := bwrap.Start(b.Context(), bwrap.Config{})
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkExec measures a program from start to end.
func BenchmarkExec(b *testing.B) {
	s := start(b, bwrap.Config{})
	for b.Loop() {
		p, err := s.Exec(b.Context(), sandbox.Cmd{Args: []string{"true"}})
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.ReadAll(p.Stdout())
		if _, err := p.Wait(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEcho measures a line to a running program and back.
func BenchmarkEcho(b *testing.B) {
	s := start(b, bwrap.Config{})
	p, err := s.Exec(b.Context(), sandbox.Cmd{Args: []string{"cat"}})
	if err != nil {
		b.Fatal(err)
	}
	r := bufio.NewReader(p.Stdout())
	for b.Loop() {
		if _, err := p.Stdin().Write([]byte("line\n")); err != nil {
			b.Fatal(err)
		}
		if _, err := r.ReadSlice('\n'); err != nil {
			b.Fatal(err)
		}
	}
	h, err := s.Health(b.Context(), 0, -1)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(h.RSS)/(1<<20), "guest-MB")
}

// BenchmarkRead measures reading 4 MB out of the sandbox.
func BenchmarkRead(b *testing.B) {
	s := start(b, bwrap.Config{})
	data := make([]byte, 4<<20)
	if _, err := s.WriteFile(b.Context(), "/tmp/f", data, sandbox.WriteOptions{}); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, _, err := s.ReadFile(b.Context(), "/tmp/f", 0, 0); err != nil {
			b.Fatal(err)
		}
	}
}
