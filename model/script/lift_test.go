package script

import (
	"bytes"
	"strings"
	"testing"
)

func TestLift(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("A", minLift)
	tests := []struct {
		name, body string
		lifted     int
	}{
		{"two images", `[{"data":"` + long + `"},{"data": ` + "\n" + `"` + long + `B"},{"data":"short"}]`, 2},
		{"not a string", `{"data":[1],"data":{},"data":null}`, 0},
		{"an escape", `{"data":"` + long + `\n"}`, 0},
		{"no end", `{"data":"` + long, 0},
		{"nothing after", `{"data":`, 0},
		{"another member", `{"text":"` + long + `"}`, 0},
	}
	for _, tt := range tests {
		small, texts := lift([]byte(tt.body))
		if len(texts) != tt.lifted {
			t.Errorf("%s: %d lifted, want %d", tt.name, len(texts), tt.lifted)
		}
		for name, text := range texts {
			small = bytes.ReplaceAll(small, []byte(name), text)
		}
		if string(small) != tt.body {
			t.Errorf("%s: %.60s became %.60s", tt.name, tt.body, small)
		}
	}
}

func FuzzLift(f *testing.F) {
	f.Add([]byte(`{"data":"`+strings.Repeat("x", 2000)+`","data":"y"}`), 7)
	f.Fuzz(func(t *testing.T, body []byte, n int) {
		if n > 0 && n < 4000 {
			body = bytes.ReplaceAll(body, []byte("x"), bytes.Repeat([]byte("x"), n))
		}
		small, texts := lift(body)
		for name, text := range texts {
			small = bytes.ReplaceAll(small, []byte(name), text)
		}
		if !bytes.Equal(small, body) {
			t.Errorf("lifting changed %q into %q", body, small)
		}
	})
}
