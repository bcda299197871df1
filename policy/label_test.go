package policy

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// TestCorpusOfLabels holds the table of words to the labels: what has
// consequences has its class in every disguise, and near misses do not.
func TestCorpusOfLabels(t *testing.T) {
	t.Parallel()
	w := defaultWords()
	count := map[string]int{}
	for _, c := range corpus(t, "labels.txt") {
		role, name, _ := strings.Cut(c.text, " ")
		role = strings.Trim(strings.ReplaceAll(role, "-", " "), " ")
		got, _ := w.Label(role, name)
		if string(got) != c.label {
			t.Errorf("%s %q (%q) is %s, want %s", role, name, tokens(name), got, c.label)
		}
		count[c.label]++
	}
	if count["changes"] < 50 || count["pays"] < 40 {
		t.Errorf("the corpus holds %v", count)
	}
}

func TestEveryLanguageHasEverySection(t *testing.T) {
	t.Parallel()
	table := map[string]map[string][]string{}
	if err := strictly(builtIn, &table); err != nil {
		t.Fatal(err)
	}
	for section, languages := range table {
		if section == "except" {
			continue
		}
		for _, language := range strings.Fields("en de fr es pt it nl pl ru zh ja ko tr") {
			if len(languages[language]) == 0 {
				t.Errorf("[%s] has nothing in %s", section, language)
			}
		}
	}
}

// TestEveryWordHasItsClass: no word of the table is cancelled by an exception,
// or lost on its way through the folding.
func TestEveryWordHasItsClass(t *testing.T) {
	t.Parallel()
	table := map[string]map[string][]string{}
	if err := strictly(builtIn, &table); err != nil {
		t.Fatal(err)
	}
	w := defaultWords()
	for section, languages := range table {
		want := meaning[section]
		for language, list := range languages {
			for _, text := range list {
				name := strings.ReplaceAll(text, "*", "xyzzy")
				got := w.named(name, func(c Class) bool { return want == Secret || c != Secret })
				if want == Looks && got != Looks || rank(got) < rank(want) {
					t.Errorf("[%s] %s %q has the class %s", section, language, text, got)
				}
			}
		}
	}
}

func TestLookAlikesPairUp(t *testing.T) {
	t.Parallel()
	if a, b := utf8.RuneCountInString(alike), len(latin); a != b {
		t.Errorf("%d letters look like %d", a, b)
	}
}

func TestWordsOfOnesOwn(t *testing.T) {
	t.Parallel()
	w, err := ParseWords("words.toml", []byte("[sends]\nsv = [\"skicka\", \"skicka *\"]\n[except]\nen = [\"send test message\"]\n"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]Class{"Skicka": Sends, "SKICKA NU": Sends, "Send": Sends, "Send test message": Changes} {
		if got, _ := w.Label("button", name); got != want {
			t.Errorf("%q is %s, want %s", name, got, want)
		}
	}
	for _, c := range []struct{ text, says string }{
		{"[sells]\nen = [\"x\"]", `there is no section [sells]: use one of agrees`},
		{"[sends]\nen = [\"*\"]", "it has no word in it"},
		{"[sends]\nen = \"x\"", "mine.toml:2:"},
		{"[sends\n", "mine.toml:1:"},
	} {
		if _, err := ParseWords("mine.toml", []byte(c.text)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q: %v, want %q", c.text, err, c.says)
		}
	}
}

func TestNameTooLong(t *testing.T) {
	t.Parallel()
	if got, _ := defaultWords().Label("button", strings.Repeat("x ", maxName)+"pay"); got != Unknown {
		t.Errorf("a name of %d bytes is %s", 2*maxName, got)
	}
}

func TestFieldsForSecrets(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		role, name string
		want       bool
	}{
		{"password text", "", true}, {"password", "x", true}, {"entry", "Card number", true}, {"entry", "New password", true}, {"textbox", "Kreditkartennummer", true},
		{"entry", "Пароль", true}, {"entry", "密码", true}, {"", "CVC", true}, {"entry", "Search", false}, {"entry", "Password manager search", false}, {"button", "Password", false}, {"entry", "", false},
	} {
		if got := defaultWords().secret(Element{c.role, c.name}); got != c.want {
			t.Errorf("%s %q: %t", c.role, c.name, got)
		}
	}
}

func FuzzLabel(f *testing.F) {
	for _, c := range corpus(f, "labels.txt") {
		_, name, _ := strings.Cut(c.text, " ")
		f.Add("button", name)
	}
	f.Fuzz(func(t *testing.T, role, name string) {
		class, what := defaultWords().Label(role, name)
		if class == Looks || class == Secret || (class == Changes) != (what == "") {
			t.Fatalf("%q is %s, %q", name, class, what)
		}
	})
}
