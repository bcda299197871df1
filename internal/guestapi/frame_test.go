package guestapi

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
)

func TestFrames(t *testing.T) {
	t.Parallel()
	var wire bytes.Buffer
	w := NewFrameWriter(&wire)
	sent := []string{"", "x", strings.Repeat("y", MaxFrame)}
	for _, p := range sent {
		if err := w.Write(FrameStdout, []byte(p)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Grant(FrameStdin, 77); err != nil {
		t.Fatal(err)
	}
	if err := w.Write(FrameStdout, make([]byte, MaxFrame+1)); err == nil {
		t.Error("a frame that is too large was written")
	}
	r, buf := bufio.NewReader(&wire), []byte(nil)
	for _, want := range sent {
		if k, p, err := ReadFrame(r, &buf); k != FrameStdout || string(p) != want || err != nil {
			t.Errorf("got %c, %d bytes, %v; want %d bytes", k, len(p), err, len(want))
		}
	}
	k, p, err := ReadFrame(r, &buf)
	stream, n, errWindow := ParseWindow(p)
	if k != FrameWindow || stream != FrameStdin || n != 77 || err != nil || errWindow != nil {
		t.Errorf("got %c of %c, %d, %v, %v", k, stream, n, err, errWindow)
	}
	if _, _, err := ReadFrame(r, &buf); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
}

// TestStream sends ten windows through credit and queue with a slow reader.
func TestStream(t *testing.T) {
	t.Parallel()
	credit := NewCredit()
	q := NewQueue(func(n int) {
		if err := credit.Give(n); err != nil {
			t.Error(err)
		}
	})
	const size = 10 * Window
	var sender sync.WaitGroup
	sender.Go(func() {
		for sent := 0; sent < size; {
			n := credit.Take(min(size-sent, 10_000))
			if err := q.Push(make([]byte, n)); err != nil {
				t.Error(err)
				return
			}
			sent += n
		}
		q.End(io.EOF)
	})
	n, err := io.Copy(io.Discard, struct{ io.Reader }{q})
	sender.Wait()
	if n != size || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
}

func TestStreamLimits(t *testing.T) {
	t.Parallel()
	q := NewQueue(func(int) {})
	if err := q.Push(make([]byte, Window)); err != nil {
		t.Error(err)
	}
	if err := q.Push([]byte{1}); !errors.Is(err, ErrWindow) {
		t.Errorf("beyond the window: %v", err)
	}
	if _, err := q.Read(make([]byte, 10)); err != nil {
		t.Error(err)
	}
	if err := q.Push([]byte{1}); !errors.Is(err, ErrWindow) {
		t.Errorf("beyond what was granted: %v", err)
	}
	q.End(io.ErrUnexpectedEOF)
	q.End(io.EOF)
	if n, err := io.Copy(io.Discard, q); n != Window-10 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%d, %v", n, err)
	}
	c := NewCredit()
	if err := c.Give(1); !errors.Is(err, ErrWindow) {
		t.Errorf("too much credit: %v", err)
	}
	if got := c.Take(Window * 2); got != Window {
		t.Errorf("took %d", got)
	}
	taken := make(chan int)
	go func() { taken <- c.Take(1) }()
	c.Close()
	if got := <-taken; got != 0 {
		t.Errorf("took %d of a closed credit", got)
	}
}

// FuzzReadFrame feeds bytes of a hostile peer to the reader: no panic, no
// memory beyond a frame, and what is read is what a writer writes.
func FuzzReadFrame(f *testing.F) {
	f.Add([]byte("o\x00\x00\x00\x02hix\x00\x00\x00\x00"))
	f.Add([]byte("w\x00\x00\x00\x05o\x00\x01\x00\x00"))
	f.Add([]byte("i\xff\xff\xff\xff"))
	f.Add([]byte("i\x00\x01"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var again bytes.Buffer
		w, r, buf := NewFrameWriter(&again), bufio.NewReader(bytes.NewReader(data)), []byte(nil)
		for {
			k, p, err := ReadFrame(r, &buf)
			if err != nil {
				break
			}
			if _, n, err := ParseWindow(p); err == nil && (n < 0 || n > Window) {
				t.Fatalf("a window of %d", n)
			}
			if err := w.Write(k, p); err != nil {
				t.Fatal(err)
			}
		}
		if cap(buf) > MaxFrame || !bytes.HasPrefix(data, again.Bytes()) {
			t.Fatalf("%d bytes held; %q became %q", cap(buf), data, again.Bytes())
		}
	})
}

func BenchmarkFrames(b *testing.B) {
	var wire bytes.Buffer
	w, r, buf := NewFrameWriter(&wire), bufio.NewReader(&wire), []byte(nil)
	payload := make([]byte, 32<<10)
	b.SetBytes(int64(len(payload)))
	for b.Loop() {
		if err := w.Write(FrameStdout, payload); err != nil {
			b.Fatal(err)
		}
		if _, _, err := ReadFrame(r, &buf); err != nil {
			b.Fatal(err)
		}
	}
}
