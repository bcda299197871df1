package excerpt

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"strings"
	"testing"
)

// TestHoweverItArrives feeds streams in pieces of every size, with the
// marker cut anywhere and a background program writing on behind it.
func TestHoweverItArrives(t *testing.T) {
	t.Parallel()
	random := mathrand.New(mathrand.NewPCG(1, 2))
	for round := range 3000 {
		printed := strings.Repeat("x", random.IntN(20)) + strings.Repeat("line of text\n", random.IntN(12)) + strings.Repeat("y", random.IntN(30))
		limit := 1 + random.IntN(120)
		c := New(limit)
		marker := rand.Text()
		c.Expect(marker)
		for rest := []byte(printed + marker + strings.Repeat("LATE\n", random.IntN(5))); len(rest) > 0; {
			n := 1 + random.IntN(min(len(rest), 40))
			c.add(rest[:n])
			rest = rest[n:]
		}
		c.add([]byte("LATER\n"))
		select {
		case <-c.Sealed():
		default:
			t.Fatalf("round %d: the marker was not seen", round)
		}
		got := c.Text()
		if strings.Contains(got, "LATE") || strings.Contains(got, marker) {
			t.Fatalf("round %d: %q", round, got)
		}
		if len(printed) <= 2*c.half {
			if got != printed {
				t.Fatalf("round %d: limit %d\n got %q\nwant %q", round, limit, got, printed)
			}
			continue
		}
		whole := strings.Count(printed, "\n")
		if !strings.HasSuffix(printed, "\n") {
			whole++
		}
		head, tail, ok := strings.Cut(got, fmt.Sprintf("\n... Output truncated (%d total lines) ...\n", whole))
		left, tail, ok2 := strings.Cut(tail, " bytes left out]\n")
		var n int
		_, err := fmt.Sscanf(left, "[%d", &n)
		if !ok || !ok2 || err != nil || !strings.HasPrefix(printed, head) || !strings.HasSuffix(printed, tail) {
			t.Fatalf("round %d: limit %d: %q of %q", round, limit, got, printed)
		}
		shown := len(head) + len(tail)
		if strings.HasPrefix(printed, head+"\n") { // the note stands on a line of its own
			shown++
		}
		if n != len(printed)-shown && n != len(printed)-shown+1 {
			t.Fatalf("round %d: %d left out of %d, but %q is shown", round, n, len(printed), got)
		}
	}
}

func BenchmarkExcerpt(b *testing.B) {
	chunk := bytes.Repeat([]byte("an ordinary line of output\n"), 1200)
	c := New(32 << 10)
	b.SetBytes(int64(len(chunk)))
	for b.Loop() {
		c.Drain(io.LimitReader(bytes.NewReader(chunk), int64(len(chunk))))
		c.closed, c.sealed = false, make(chan struct{})
	}
}
