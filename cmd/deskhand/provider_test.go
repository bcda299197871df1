package main

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/model/claude/claudetest"
	"github.com/deskhand/deskhand/model/script"
)

// runAt runs a small task through the command with nothing in the environment
// but what is given.
func runAt(t *testing.T, provider model.Provider, name string, env map[string]string) (out string, err error) {
	t.Helper()
	program, err := exec.LookPath("deskhand") // this test binary
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "run", "--provider", string(provider), "--model", name, "--size", "640x480", "--permission", "trust", "say hello")
	home := t.TempDir()
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "DESKHAND_HOME=" + filepath.Join(home, "state"), "LANG=C.UTF-8", "AWS_EC2_METADATA_DISABLED=true"}
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	all, err := cmd.CombinedOutput()
	return string(all), err
}

// TestProviders runs a task to its end through the command, at each provider's
// stand-in, in its wire form and with its authentication.
func TestProviders(t *testing.T) {
	t.Parallel()
	for _, tt := range claudetest.Cases(t) {
		t.Run(tt.Name, func(t *testing.T) {
			p := tt.Platform
			var err error
			if p.Server, err = script.New([]byte("-- model --\nbash {\"command\": \"echo hello\"}\n-- expect --\ncontains \"hello\"\n-- model --\nIt said hello.\n"), script.Options{At: tt.Provider}); err != nil {
				t.Fatal(err)
			}
			p.T, p.Model = t, tt.Model
			standIn := httptest.NewServer(p)
			defer standIn.Close()
			out, err := runAt(t, tt.Provider, tt.Model, tt.Environ(standIn.URL))
			if err != nil || !strings.Contains(out, "It said hello.") {
				t.Errorf("%v: %s", err, out)
			}
			if problems := p.Server.Problems(); len(problems) > 0 {
				t.Errorf("problems %q", problems)
			}
			if len(p.Names()) < 2 || p.Names()[0] != tt.Wants {
				t.Errorf("asked for %q, want %q", p.Names(), tt.Wants)
			}
		})
	}
}

// TestProviderWithoutCredentials sees that what is missing is said in one
// sentence, before a desktop is started.
func TestProviderWithoutCredentials(t *testing.T) {
	t.Parallel()
	for provider, part := range map[model.Provider]string{
		model.Bedrock: "Set AWS_REGION", model.Vertex: "gcloud auth application-default login", model.Foundry: "ANTHROPIC_FOUNDRY_RESOURCE",
		model.AWS: "ANTHROPIC_AWS_WORKSPACE_ID", model.GoogleCloud: "gcloud auth application-default login",
	} {
		out, err := runAt(t, provider, model.Default, nil)
		if err == nil || !oneSentence(out, part) {
			t.Errorf("%s: %v, %q", provider, err, out)
		}
	}
}
