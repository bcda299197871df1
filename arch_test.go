package deskhand_test

import (
	"errors"
	"go/build"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/deskhand/deskhand"

// allow lists, for each concept, the other packages it may import. The root
// package and internal/... are open to everyone, and a driver (store/sqlite)
// may import its concept (store). Every other arrow is a row in this table.
var allow = map[string]string{
	".":       "", // vocabulary: standard library only
	"model":   "",
	"tool":    "",
	"policy":  "", // pure: decides, never waits
	"desktop": "",
	"sandbox": "",
	"store":   "",

	"tool/computer": "desktop",
	"tool/bash":     "sandbox",
	"tool/editor":   "sandbox",
	"tool/custom":   "sandbox",                                  // a command of a file runs there
	"evidence":      "sandbox desktop model",                    // looks at files, programs and the screen, and has a model look
	"sandbox/bwrap": "sandbox/remote",                           // the walls; what is inside is reached through the guest
	"sandbox/oci":   "sandbox/remote",                           // likewise, built by a container engine
	"guest":         "desktop desktop/x11 sandbox sandbox/host", // the program inside
	"guest/stack":   "desktop desktop/x11",                      // drives the display it builds
	"hook":          "sandbox",                                  // a person's commands are run in the place it is given
	"agent":         "model tool policy",                        // no driver, no HTTP, no SDK
	"machine":       "sandbox sandbox/bwrap sandbox/egress sandbox/host sandbox/oci sandbox/remote desktop desktop/remote guest/stack tool tool/computer tool/bash tool/editor",
	"engine":        "agent store tool",
	"engine/local":  "agent model policy store tool",

	"engine/enginetest": "agent model store tool", // the fakes that its suite plays with

	"model/claude/claudetest": "model model/script", // stand-ins of providers, before the strict server

	"secret":       "",                         // values, masks and where they may go: what is done with it is not its business
	"secret/guard": "desktop model store tool", // stands before each of them, as one of them

	"secret/keyring": "", // the person's own keyring, asked by name

	"transcript": "", // reads events; the terminal, the page and later the server show what it folds

	// The short way in for Go programs: it assembles what cmd assembles.
	"runner": "desktop engine engine/local machine model sandbox store/sqlite tool tool/bash tool/computer tool/editor",

	"demo":       "",
	"bench":      "*", // measures every layer beside its peers
	"e2e":        "*", // drives the built binary
	"bench/cost": "*", // plays whole tasks against the stand-in

	"test/fidelity": "*", // wires the whole loop itself, with pages as the judge
	"test/crash":    "*", // kills the built program and reads its journal, its desktop and its page from outside

	"cmd/deskhand": "*", // the only place that knows every name
}

// owner names the packages that may import each outside module, in words.
var owner = map[string]string{
	"github.com/anthropics/anthropic-sdk-go": "model/claude",
	"github.com/aws/aws-sdk-go-v2":           "model/claude model/claude/claudetest", // credentials for Bedrock, and its stand-in's streams
	"golang.org/x/oauth2":                    "model/claude",                         // credentials for Google Cloud
	"github.com/jezek/xgb":                   "desktop/x11",
	"modernc.org/sqlite":                     "store/sqlite",
	"github.com/pressly/goose":               "store/sqlite",
	"github.com/alecthomas/kong":             "cmd/deskhand",
	"golang.org/x/term":                      "cmd/deskhand",
	"github.com/klauspost/compress":          "internal/frame",
	"golang.org/x/image":                     "tool/editor",
	"golang.org/x/tools":                     "model/script",
	"go.yaml.in/yaml":                        "tool/skill",
	"github.com/google/jsonschema-go":        "tool",
	"mvdan.cc/sh":                            "policy",
	"github.com/pelletier/go-toml":           "policy hook", // files that people write
	"golang.org/x/text":                      "policy",
	"github.com/coder/websocket":             "test/fidelity",
	"github.com/rogpeppe/go-internal":        "sandbox/folder", // compares texts; elsewhere in tests only
	"github.com/hanwen/go-fuse":              "sandbox/folder", // folders that are written through
	"golang.org/x/net":                       "sandbox/egress",
	"github.com/godbus/dbus":                 "secret/keyring",
	"golang.org/x/sys":                       "*", // the kernel's own words
}

var vague = []string{"common", "helpers", "misc", "models", "shared", "types", "util", "utils"}

// TestArchitecture reads the source itself rather than running "go list", so
// that go test's cache notices when any file changes.
func TestArchitecture(t *testing.T) {
	in, out := map[string]int{}, map[string]int{}
	err := filepath.WalkDir(".", func(dir string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if b := d.Name(); dir != "." && (b == "testdata" || strings.HasPrefix(b, ".") || strings.HasPrefix(b, "_")) {
			return filepath.SkipDir
		}
		p, err := build.ImportDir(dir, 0)
		if none := (*build.NoGoError)(nil); errors.As(err, &none) {
			return nil
		} else if err != nil {
			return err
		}
		self := filepath.ToSlash(dir)
		_, known := allow[self]
		switch {
		case slices.Contains(vague, path.Base(self)):
			t.Errorf("%s: name the package after what it provides", self)
		case p.Doc == "":
			t.Errorf("%s: no package comment", self)
		case !known && !strings.Contains(self, "/"):
			t.Errorf("%s: new concept: add a row to allow and say why", self)
		}
		for _, imp := range p.Imports {
			if to, ok := local(imp); ok {
				in[to]++
				if !strings.HasPrefix(to, "internal/") { // mechanisms are no burden to who reads the concept
					out[self]++
				}
				if !allowed(self, to) {
					t.Errorf("%s may not import %s", self, to)
				}
			} else if first, _, _ := strings.Cut(imp, "/"); strings.Contains(first, ".") && ownerOf(imp) != "*" && !slices.Contains(strings.Fields(ownerOf(imp)), self) {
				t.Errorf("%s may not import %s (owner: %q)", self, imp, ownerOf(imp))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for p, n := range in { // what many lean on must itself lean on little
		if n >= 5 && out[p] > 2 {
			t.Errorf("%s is imported by %d packages yet imports %d", p, n, out[p])
		}
	}
}

func allowed(self, to string) bool {
	return to == "." || to == path.Dir(self) || strings.HasPrefix(to, "internal/") ||
		allow[self] == "*" || slices.Contains(strings.Fields(allow[self]), to)
}

func local(imp string) (string, bool) {
	if imp == module {
		return ".", true
	}
	return strings.CutPrefix(imp, module+"/")
}

func ownerOf(imp string) string {
	for m, o := range owner {
		if imp == m || strings.HasPrefix(imp, m+"/") {
			return o
		}
	}
	return ""
}
