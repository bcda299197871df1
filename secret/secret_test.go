package secret_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const canary = `c4nary/"ü&+ 7x`

func set(t testing.TB, values ...string) *secret.Set {
	t.Helper()
	var all []secret.Secret
	for i, v := range values {
		s, err := secret.New(fmt.Sprintf("name_%d", i), v, "https://GitHub.com:443/", "window:keepassxc", "http://127.0.0.1:8080", "window:/usr/bin/xterm:a: b")
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	made, err := secret.NewSet(all...)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// TestNeverPrinted prints a secret and a set in every way there is.
func TestNeverPrinted(t *testing.T) {
	t.Parallel()
	one, err := secret.New("pin", canary, "https://github.com")
	if err != nil {
		t.Fatal(err)
	}
	all := set(t, canary)
	var logged bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&logged, nil), slog.NewJSONHandler(&logged, nil)} {
		slog.New(h).Info("x", "one", one, "pointer", &one, "all", all, "in", struct{ S secret.Secret }{one})
	}
	out := logged.String()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t"} {
		out += fmt.Sprintf(verb, one) + fmt.Sprintf(verb, &one) + fmt.Sprintf(verb, all) + fmt.Sprintf(verb, []any{one, struct{ S secret.Secret }{one}})
	}
	for _, v := range []any{one, &one, all, map[string]any{"s": one}} {
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out += string(raw)
	}
	if name, leaks := all.Leaks([]byte(out)); leaks {
		t.Errorf("%s is printed: %s", name, out)
	}
	if strings.Contains(out, "c4nary") || !strings.Contains(out, "{{secret:pin}}") {
		t.Errorf("printed: %s", out)
	}
}

func TestRefusedSecrets(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, value, bound, want string
	}{
		{"a", "", "", "empty"}, {"a", "abcde", "", "shorter than 6"}, {"a", "running", "", "part of a word"}, {"a", "Unning", "", "part of a word"}, {"a", strings.Repeat("x", 4097), "", "longer than 4096"},
		{"a", "abcdef\x00d", "", "not text"}, {"a", "abcdef\xffd", "", "not text"},
		{"A", "abcdxyz", "", "not a name"}, {"", "abcdxyz", "", "not a name"}, {"a}", "abcdxyz", "", "not a name"},
		{"a", "abcdxyz", "github.com", "not a web origin"}, {"a", "abcdxyz", "http://github.com", "not a web origin"}, {"a", "abcdxyz", "https://u:p@github.com", "not a web origin"},
		{"a", "abcdxyz", "https://*.github.com", "not a web origin"}, {"a", "abcdxyz", "https://github.com/login", "not a web origin"}, {"a", "abcdxyz", "https://github.com?x", "not a web origin"}, {"a", "abcdxyz", "https://github.com#x", "not a web origin"}, {"a", "abcdxyz", "https:github.com", "not a web origin"},
		{"a", "abcdxyz", "window:", "not a window"}, {"a", "abcdxyz", "window::x", "not a window"}, {"a", "abcdxyz", "window:xterm:", "not a window"},
	} {
		bound := []string{c.bound}
		if c.bound == "" {
			bound = nil
		}
		_, err := secret.New(c.name, c.value, bound...)
		if deskhand.CodeOf(err) != deskhand.Invalid || !strings.Contains(err.Error(), c.want) || len(c.value) > 2 && c.value != "abcdxyz" && strings.Contains(err.Error(), c.value) {
			t.Errorf("New(%q, %.10q, %q): %v", c.name, c.value, c.bound, err)
		}
	}
	weak, err := secret.New("a", "{{secret")
	if err == nil {
		_, err = secret.NewSet(weak)
	}
	if deskhand.CodeOf(err) != deskhand.Invalid {
		t.Errorf("a value that is part of every mask: %v", err)
	}
}

// written is how others write a text that holds a value: each with encoders
// that are not package secret's.
var written = map[string]func(before, value, after string) string{
	"plain":     func(b, v, a string) string { return b + v + a },
	"reversed":  func(b, v, a string) string { r := []rune(b + v + a); slices.Reverse(r); return string(r) },
	"base64":    func(b, v, a string) string { return base64.StdEncoding.EncodeToString([]byte(b + v + a)) },
	"base64url": func(b, v, a string) string { return base64.RawURLEncoding.EncodeToString([]byte(b + v + a)) },
	"hex":       func(b, v, a string) string { return hex.EncodeToString([]byte(b + v + a)) },
	"HEX":       func(b, v, a string) string { return fmt.Sprintf("%X", b+v+a) },
	"query":     func(b, v, a string) string { return url.QueryEscape(b + v + a) },
	"path":      func(b, v, a string) string { return url.PathEscape(b + v + a) },
	"html":      func(b, v, a string) string { return html.EscapeString(b + v + a) },
	"json":      func(b, v, a string) string { raw, _ := json.Marshal(b + v + a); return string(raw) },
}

// TestMaskForms masks a value in every form and at every alignment.
func TestMaskForms(t *testing.T) {
	t.Parallel()
	s := set(t, canary)
	for form, write := range written {
		for _, before := range []string{"", "x", "xy", "xyz"} {
			text := write(before, canary, "tail")
			got := s.Mask(text)
			if !strings.Contains(got, "{{secret:name_0}}") {
				t.Errorf("%s after %q: %q stays", form, before, got)
			}
			if _, leaks := s.Leaks([]byte(text)); !leaks {
				t.Errorf("%s after %q: does not count as a leak", form, before)
			}
			if _, leaks := s.Leaks([]byte(got)); leaks {
				t.Errorf("%s after %q: %q still leaks", form, before, got)
			}
		}
	}
	if text := "nothing of it: c4nar"; s.Mask(text) != text {
		t.Errorf("a text without a secret became %q", s.Mask(text))
	}
	if got := set(t, "abcdefgh", "defghijk", "abcdef").Mask("1abcdefghijk2abcdef3"); got != "1{{secret:name_0}}2{{secret:name_2}}3" {
		t.Errorf("overlapping values: %q", got)
	}
	if got := set(t, "12abcdxy34", "abcdxy").Mask("012abcdxy345"); got != "0{{secret:name_0}}5" {
		t.Errorf("a value inside another: %q", got)
	}
	if got := (*secret.Set)(nil).Mask(canary); got != canary {
		t.Errorf("no secrets: %q", got)
	}
}

func TestMaskJSON(t *testing.T) {
	t.Parallel()
	s := set(t, canary, "nabcde")
	inner, _ := json.Marshal(map[string]string{"password": canary})
	raw, _ := json.Marshal(map[string]any{"nested": string(inner), canary: 1})
	raw = append(bytes.TrimSuffix(raw, []byte("}")), ` , "number" : 1.50, "kept":"\u00e9\nabcde \/"}`...)
	got, err := s.MaskJSON(raw, nil)
	if err != nil || !json.Valid(got) || bytes.Contains(got, []byte("c4nary")) {
		t.Fatalf("%s, %v", got, err)
	}
	if !bytes.HasSuffix(got, []byte(` , "number" : 1.50, "kept":"\u00e9\nabcde \/"}`)) {
		t.Errorf("bytes without a secret changed: %s", got)
	}
	if _, leaks := s.Leaks(raw); !leaks {
		t.Error("no leak in a key and a nested text")
	}
	for _, bad := range []string{"", "{", `"`, `{"a":"` + "\n" + `"}`, `"\`} {
		if _, err := s.MaskJSON([]byte(bad), nil); err == nil {
			t.Errorf("%q was taken for JSON", bad)
		}
	}
}

// TestMaskJSONSpots: only what is free is masked, and a spot is told by the names
// that lead to it.
func TestMaskJSONSpots(t *testing.T) {
	t.Parallel()
	s := set(t, "abcdxyz")
	raw := json.RawMessage(`{"abcdxyz":["abcdxyz",{"in":{"abcdxyz":"abcdxyz"}}],"id":"abcdxyz","b":{"id":1,"c":["x"]},"d":"abcdxyz"}`)
	var seen []string
	got, err := s.MaskJSON(raw, func(at secret.Spot) bool {
		seen = append(seen, fmt.Sprint(strings.Join(at.Path, "."), " ", at.Key))
		return slices.Contains(at.Path, "in") || !at.Key && !slices.Equal(at.Path, []string{"id"})
	})
	const m = "{{secret:name_0}}"
	if want := `{"abcdxyz":["` + m + `",{"in":{"` + m + `":"` + m + `"}}],"id":"abcdxyz","b":{"id":1,"c":["x"]},"d":"` + m + `"}`; err != nil || string(got) != want {
		t.Errorf("%s, %v", got, err)
	}
	want := []string{" true", "abcdxyz false", "abcdxyz true", "abcdxyz.in true", "abcdxyz.in.abcdxyz false", " true", "id false", " true", "b true", "b true", "b.c false", " true", "d false"}
	if !slices.Equal(seen, want) {
		t.Errorf("spots %q", seen)
	}
}

func TestFill(t *testing.T) {
	t.Parallel()
	s := set(t, canary, "other value")
	where := []secret.Target{{Origin: "https://github.com"}, {Program: "keepassxc"}, {Origin: "http://127.0.0.1:8080"}, {Program: "/usr/bin/xterm", Title: "a: b"}}
	for text, want := range map[string][]secret.Part{
		"a{{secret:name_0}}b":                  {{Text: "a"}, {Text: canary, Secret: true}, {Text: "b"}},
		"{{secret:name_0}}":                    {{Text: canary, Secret: true}},
		"{{secret:name_0}}\n{{secret:name_0}}": {{Text: canary, Secret: true}, {Text: "\n"}, {Text: canary, Secret: true}},
	} {
		if got, into, err := s.Fill(text); err != nil || !slices.Equal(got, want) || !slices.Equal(into, where) {
			t.Errorf("%q: %d parts into %v, %v", text, len(got), into, err)
		}
	}
	if got, into, err := s.Fill("plain {{text}}"); err != nil || into != nil || !slices.Equal(got, []secret.Part{{Text: "plain {{text}}"}}) {
		t.Errorf("no reference: %v into %v, %v", got, into, err)
	}
	unbound, err := secret.New("free", canary)
	if err != nil {
		t.Fatal(err)
	}
	if one, err := secret.NewSet(unbound); err != nil {
		t.Fatal(err)
	} else if _, into, err := one.Fill("{{secret:free}}"); err != nil || into == nil || len(into) != 0 {
		t.Errorf("bound to nothing: into %v, %v", into, err)
	}
	for text, code := range map[string]deskhand.Code{"{{secret:other}}": deskhand.NotFound, "{{secret:}}": deskhand.NotFound, "{{secret:name_0}}{{secret:name_1}}": deskhand.Invalid} {
		if got, into, err := s.Fill(text); got != nil || into != nil || deskhand.CodeOf(err) != code || strings.Contains(err.Error(), "name_") || strings.Contains(err.Error(), "other}") {
			t.Errorf("%s: %d parts, %v", text, len(got), err)
		}
	}
	if _, _, err := (*secret.Set)(nil).Fill("{{secret:x}}"); deskhand.CodeOf(err) != deskhand.NotFound {
		t.Errorf("no secrets: %v", err)
	}
}

// TestStream cuts a text at every place into pieces of one and of two: no piece
// shows any of a value, and together they are what Mask makes of the whole.
func TestStream(t *testing.T) {
	t.Parallel()
	s := set(t, canary, "aaaaaab", "ayyyyyz")
	for _, text := range []string{
		"before " + canary + " after", "c4nary is not it, nor c4nary/", "aaaaaaaaaaaaab", "aaaaaabyyyyyz", "aaaaaa", canary[:5], "x" + hex.EncodeToString([]byte(canary)) + "y",
	} {
		want := s.Mask(text)
		for i := range len(text) + 1 {
			st := s.Stream()
			if got := st.Next(text[:i]) + st.Next(text[i:]) + st.End(); got != want {
				t.Fatalf("%q cut at %d: %q", text, i, got)
			}
		}
		st, got := s.Stream(), ""
		for i := range len(text) {
			got += st.Next(text[i : i+1])
		}
		if got += st.End(); got != want {
			t.Errorf("%q byte by byte: %q", text, got)
		}
	}
	st := s.Stream()
	if got := st.Next("Nothing of it is kept back."); got != "Nothing of it is kept back." {
		t.Errorf("kept back: only %q", got)
	}
	if st := (*secret.Set)(nil).Stream(); st.Next(canary) != canary || st.End() != "" {
		t.Error("no secrets: something is kept back")
	}
}

func load(path string, env func(string) string, wanted ...string) (*secret.Set, error) {
	if env == nil {
		env = func(string) string { return "" }
	}
	return secret.Sources{File: path, Env: env}.Load(context.Background(), wanted...)
}

func TestLoad(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secrets.json")
	env := func(name string) string {
		return map[string]string{"DESKHAND_SECRET_TOKEN": "from-env", "DESKHAND_SECRET_PIN": "1234pin"}[name]
	}
	write := func(mode os.FileMode, text string) {
		t.Helper()
		if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
	}
	s, err := load(path, env, "token")
	if err != nil || s.Mask("from-env") != "{{secret:token}}" {
		t.Fatalf("no file: %v, %v", s, err)
	}
	write(0o600, `{"mail": {"value": "from-file", "for": ["https://mail.test"]}, "pin": {"for": ["https://bank.test"]}}`)
	if s, err = load(path, env, "mail", "token", "pin"); err != nil {
		t.Fatal(err)
	}
	if got := s.Mask("from-file from-env 1234pin"); got != "{{secret:mail}} {{secret:token}} {{secret:pin}}" {
		t.Errorf("masked: %q", got)
	}
	if got, into, err := s.Fill("{{secret:pin}}"); err != nil || got[0].Text != "1234pin" || !slices.Equal(into, []secret.Target{{Origin: "https://bank.test"}}) {
		t.Errorf("value from the environment, place from the file: into %v, %v", into, err)
	}
	wanted := []string{"pin=window:xterm", "token", "pin=window:mousepad:x"}
	if s, err = load(path, env, wanted...); err != nil || !slices.Equal(s.Wanted(), wanted) || !slices.Equal(s.Names(), []string{"pin", "token"}) {
		t.Fatalf("with places: %v, %v", s, err)
	}
	if _, into, err := s.Fill("{{secret:pin}}"); err != nil || !slices.Equal(into, []secret.Target{{Origin: "https://bank.test"}, {Program: "xterm"}, {Program: "mousepad", Title: "x"}}) {
		t.Errorf("places of both: %v, %v", into, err)
	}
	if _, err := load(path, env, "pin=window"); deskhand.CodeOf(err) != deskhand.Invalid || !strings.Contains(err.Error(), "not a web origin") {
		t.Errorf("no place: %v", err)
	}
	if _, err := load(path, env, "other"); deskhand.CodeOf(err) != deskhand.NotFound || !strings.Contains(err.Error(), "mail, pin") || strings.Contains(err.Error(), "from-file") {
		t.Errorf("an unknown name: %v", err)
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o601, 0o666} {
		write(mode, `{"mail": {"value": "from-file"}}`)
		if _, err := load(path, env, "mail"); deskhand.CodeOf(err) != deskhand.Invalid || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
	for _, text := range []string{`{"mail": "from-file"}`, `{"mail": {"valu": "from-file"}}`, `{"mail": {"value": "from-file"}} x`, `from-file`, ``} {
		write(0o600, text)
		if _, err := load(path, env, "mail"); deskhand.CodeOf(err) != deskhand.Invalid || strings.Contains(err.Error(), "from-file") || strings.Contains(err.Error(), "valu\"") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestLoadFromOddFiles: what is at the path is judged by the file that was opened.
func TestLoadFromOddFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	real, link, pipe := filepath.Join(dir, "real"), filepath.Join(dir, "link"), filepath.Join(dir, "pipe")
	err := errors.Join(os.WriteFile(real, []byte(`{"mail": {"value": "from-file"}}`), 0o600), os.Symlink(real, link), unix.Mkfifo(pipe, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{link: "is a link", pipe: "not a file", dir: "not a file"} {
		if _, err := load(path, nil, "mail"); deskhand.CodeOf(err) != deskhand.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("giving a file to another user takes root")
	}
	if err := os.Chown(real, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	if _, err := load(real, nil, "mail"); deskhand.CodeOf(err) != deskhand.Invalid || !strings.Contains(err.Error(), "another user") {
		t.Errorf("another user's file: %v", err)
	}
}

var masks = regexp.MustCompile(`\{\{secret:name_\d\}\}`)

// FuzzMask: whatever stands around a value and however it is written, no form
// of it is left beside the masks.
func FuzzMask(f *testing.F) {
	f.Add("before ", canary, " after", "other value")
	f.Add("aa", "aaaaaa", "aaa", "aaaaaaaa")
	f.Add("", "%41%41", "\\u00", `\"\\\"\\`)
	f.Add("ü", "日本語x", "\n", "bcdefg")
	f.Fuzz(func(t *testing.T, before, value, after, second string) {
		var all []secret.Secret
		for i, v := range []string{value, second} {
			one, err := secret.New(fmt.Sprintf("name_%d", i), v)
			if err != nil {
				t.Skip()
			}
			all = append(all, one)
		}
		s, err := secret.NewSet(all...)
		if err != nil {
			t.Skip()
		}
		text := before + value + after + second
		if got := s.Mask(text); got == text || left(s, got, value, second) != "" {
			t.Errorf("%q became %q: %q is left", text, got, left(s, got, value, second))
		}
		for form, write := range written {
			if (form == "reversed" || form == "json" || form == "html") && strings.ToValidUTF8(before+after, "") != before+after {
				continue // what is written is another text
			}
			written := write(before, value, after)
			if got := s.Mask(written); got == written {
				t.Errorf("%s: %q stays", form, got)
			} else if part := left(s, got, value, second); part != "" {
				t.Errorf("%s: %q became %q: %q is left", form, written, got, part)
			}
		}
		raw, err := json.Marshal([]string{text, before, value})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.MaskJSON(raw, nil); err != nil || !json.Valid(got) {
			t.Errorf("%s became %s, %v", raw, got, err)
		}
	})
}

// left returns the part of a masked text between two masks that shows a value.
func left(s *secret.Set, text string, values ...string) string {
	for _, part := range masks.Split(text, -1) {
		if _, leaks := s.Leaks([]byte(part)); leaks {
			return part
		}
		for _, v := range values {
			if strings.Contains(part, v) || strings.Contains(part, hex.EncodeToString([]byte(v))) || strings.Contains(part, url.QueryEscape(v)) {
				return part
			}
		}
	}
	return ""
}

func BenchmarkMask(b *testing.B) {
	s := set(b, "correct-horse-battery", "ghp_0123456789abcdefghij", "hunter2hunter2")
	line := "drwxr-xr-x 2 user user 4096 Nov 25 23:32 some/folder/with/a/name\n"
	for name, text := range map[string]string{"100kB": strings.Repeat(line, 100_000/len(line)), "1kB": strings.Repeat(line, 1000/len(line))} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				s.Mask(text)
			}
		})
	}
}
