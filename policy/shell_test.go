package policy

import (
	"bytes"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// labelled is one line of a corpus.
type labelled struct{ label, text string }

// corpus reads testdata/name: a label, a space, a text with Go's escapes.
func corpus(t testing.TB, name string) (out []labelled) {
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range strings.Split(string(bytes.TrimSpace(data)), "\n") {
		label, text, ok := strings.Cut(l, " ")
		if !ok || strings.HasPrefix(l, "#") {
			continue
		}
		text, err := strconv.Unquote(`"` + strings.ReplaceAll(text, `"`, `\"`) + `"`)
		if err != nil {
			t.Fatalf("%s:%d: %v", name, i+1, err)
		}
		out = append(out, labelled{label, text})
	}
	return out
}

// classOf returns the heaviest class of a shell line.
func classOf(line string) Class {
	worst := Looks
	for _, p := range readShell(line).parts {
		worst = worst.Worse(p.Class)
	}
	return worst
}

// TestCorpusOfCommands holds the reading of shell lines to the labels: nothing
// with consequences is ever harmless, and what only looks is.
func TestCorpusOfCommands(t *testing.T) {
	t.Parallel()
	count := map[string]int{}
	for _, c := range corpus(t, "shell.txt") {
		count[c.label]++
		class := classOf(c.text)
		switch {
		case c.label == "consequential" && class == Looks:
			t.Errorf("%q is taken for harmless", c.text)
		case c.label == "harmless" && class != Looks:
			t.Errorf("%q asks: %s", c.text, class)
		}
	}
	if n := count["harmless"] + count["consequential"]; n < 300 || count["consequential"] < 200 || count["harmless"] < 100 {
		t.Errorf("the corpus has %d commands: %v", n, count)
	}
}

// TestClassesOfCommands is about how heavy a command is, which decides whether
// a mode asks.
func TestClassesOfCommands(t *testing.T) {
	t.Parallel()
	for class, lines := range map[Class][]string{
		Changes:  {"touch f", "mkdir d", "cp a b", "mv a b", "echo x > f", "git commit -m x", "chmod +x f", "tar xf a.tar"},
		Reaches:  {"curl http://x.test", "git clone http://x.test/r", "ping x.test", "curl -sSL https://x.test/a"},
		Runs:     {"sh -c ls", "python3 x.py", "make", "./x", "base64 -d f | sh", "sed 's/a/b/e' f", "LD_PRELOAD=x ls", "git -c a=b status"},
		Persists: {"crontab -", "echo x >> ~/.bashrc", "alias ls=x", "export PATH=x", "cp x .git/hooks/pre-commit"},
		Deletes:  {"rm x", "rm -rf build", "find . -delete", "git clean -fdx", "sh -c 'rm x'", "env rm x", "cp /dev/null f", "ls | xargs rm"},
		Purges:   {"rm -rf /", "rm -rf ~", "rm -rf ~/", `rm -rf "$X"/*`, "rm -rf $X/", "rm -rf /etc", "rm -rf /home/me", "shred f", "dd of=/dev/sda", "rm -rf *", "rm -r ..", "rm -rf ./", "rm -rf ~/*", "echo x > /dev/sda", "rm -rf ~root"},
		Sends:    {"curl -d x http://x.test", "ssh h", "scp f h:", "git push", "echo x > /dev/tcp/1.1.1.1/1", "npm publish", "wget --post-file=f http://x", `curl "http://x/$(cat f)"`},
		Grants:   {"sudo ls", "chmod 777 f", "chown x f", "mount a b"},
		Installs: {"pip install x", "apt-get install x", "npm i", "cargo install x"},
		Unknown:  {"$x", "frobnicate", "ls 'unclosed", "echo ${x@P}", "sort -o f f"},
	} {
		for _, line := range lines {
			if got := classOf(line); got != class {
				t.Errorf("%q is %s, want %s", line, got, class)
			}
		}
	}
}

func TestReshapingOfTheShell(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"alias ls=rm", "ls() { rm x; }", "export PATH=x", "PATH=x", "set -e", "eval x", "source x", "$x", "hash -p a b", "printf -v PATH x; trap x EXIT", "read IFS; . x"} {
		if !readShell(line).reshapes {
			t.Errorf("%q leaves the meaning of later commands alone, it is said", line)
		}
	}
	for _, line := range []string{"ls", "x=1", "cd /tmp", "rm x", "git push"} {
		if readShell(line).reshapes {
			t.Errorf("%q is said to change the meaning of later commands", line)
		}
	}
}

// TestBoundsOfTheReading: too long and too deep never become milder.
func TestBoundsOfTheReading(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("$(echo ", 200) + "x" + strings.Repeat(")", 200)
	for name, line := range map[string]string{
		"long":       "ls " + strings.Repeat("x ", maxShell),
		"deep":       deep,
		"shells":     strings.Repeat("sh -c '", 3) + strings.Repeat("!", 4000),
		"parts":      strings.Repeat("ls;", maxPieces+1) + "rm x",
		"many parts": strings.Repeat("ls;", 2000),
		"ifs":        strings.Repeat("if true; then ", 400) + "ls" + strings.Repeat("; fi", 400),
		"wrappers":   strings.Repeat("nice ", 1000) + "rm x",
		"backquotes": strings.Repeat("`", 121),
		"arithmetic": "echo $((" + strings.Repeat("(", 100) + "1" + strings.Repeat(")", 100) + "))",
	} {
		if class := classOf(line); class == Looks {
			t.Errorf("%s: taken for harmless", name)
		}
	}
}

// TestPartsOfACommand: what runs within a command is a part of its own.
func TestPartsOfACommand(t *testing.T) {
	t.Parallel()
	var texts []string
	for _, p := range readShell(`timeout 5 sh -c 'rm a' && cat <(git log) > out; echo "$(curl http://x.test)"`).parts {
		texts = append(texts, p.Text)
	}
	for _, want := range []string{"timeout 5", "sh -c 'rm a'", "rm a", "git log", "write out", "curl http://x.test"} {
		if !slices.Contains(texts, want) {
			t.Errorf("no part %q in %q", want, texts)
		}
	}
}

func FuzzReadShell(f *testing.F) {
	for _, c := range corpus(f, "shell.txt") {
		f.Add(c.text)
	}
	f.Fuzz(func(t *testing.T, line string) {
		s := readShell(line)
		if len(s.parts) == 0 {
			t.Fatal("no parts")
		}
		if classOf(line) == Looks && classOf("rm x\n"+line) == Looks {
			t.Fatal("a command before it is not seen")
		}
	})
}
