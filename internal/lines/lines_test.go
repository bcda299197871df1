package lines

import (
	"slices"
	"strings"
	"testing"
)

func TestInsertAfter(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text, added string
		n           int
		want        string
	}{
		{"", "x", 0, "x"}, {"a\n", "x", 0, "x\na\n"}, {"a\n", "x", 1, "a\nx\n"}, {"a", "x", 1, "a\nx"}, {"a\nb\n", "x\n", 1, "a\nx\nb\n"}, {"a", "x\n", 1, "a\nx\n"},
	} {
		if got := InsertAfter(c.text, c.added, c.n); got != c.want {
			t.Errorf("InsertAfter(%q, %q, %d) = %q, want %q", c.text, c.added, c.n, got, c.want)
		}
	}
}

func TestPlacesAndNumbers(t *testing.T) {
	t.Parallel()
	if got := Places("aaa\nb", "aa"); !slices.Equal(got, []int{0, 1}) {
		t.Errorf("%v", got)
	}
	for text, want := range map[string]string{"x\nx x\n": "1, 2", "": "", "x" + strings.Repeat("\nx", 60): "1, 2, 3, 4"} {
		if got := Numbers(text, Places(text, "x")); !strings.HasPrefix(got, want) || len(text) > 50 != strings.HasSuffix(got, ", 50, …") {
			t.Errorf("%q: %s", text, got)
		}
	}
	if got := Snippet("1\n2\n3\n4\n5\n6\n7\n", 5, 5); got != "     2\t2\n     3\t3\n     4\t4\n     5\t5\n     6\t6\n     7\t7\n" {
		t.Errorf("%q", got)
	}
	if got := Snippet("", 0, 0); got != "" {
		t.Errorf("%q", got)
	}
}
