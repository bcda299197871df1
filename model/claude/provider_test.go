package claude_test

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/model/claude"
	"github.com/deskhand/deskhand/model/claude/claudetest"
	"github.com/deskhand/deskhand/model/script"
)

// TestProviders plays a conversation through each provider's wire form and
// authentication. It sets the environment, as the SDKs read it themselves.
func TestProviders(t *testing.T) {
	for _, name := range []string{"AWS_PROFILE", "AWS_BEARER_TOKEN_BEDROCK", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "AWS_SESSION_TOKEN"} {
		t.Setenv(name, "")
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	for _, tt := range claudetest.Cases(t) {
		t.Run(tt.Name, func(t *testing.T) {
			p := tt.Platform
			p.T, p.Model = t, tt.Model
			info, err := model.Lookup(tt.Model)
			if err != nil {
				t.Fatal(err)
			}
			entry, calls := json.RawMessage(`{"type":"bash_20250124","name":"bash"}`), "bash {\"command\": \"true\"}"
			if p.Server, err = script.New([]byte("-- model --\nHéllo.\n"+calls+"\n-- model --\nDone.\n"), script.Options{Name: tt.Name, At: tt.Provider}); err != nil {
				t.Fatal(err)
			}
			standIn := httptest.NewServer(p)
			t.Cleanup(standIn.Close)
			for name, value := range tt.Environ(standIn.URL) {
				t.Setenv(name, value)
			}
			if got := claude.Detect(os.Getenv); got != tt.Provider {
				t.Errorf("the environment speaks of %s, want %s", got, tt.Provider)
			}
			client, err := claude.Open(t.Context(), claude.ForProvider(tt.Provider, os.Getenv))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := client.Close(); err != nil {
					t.Error(err)
				}
			})
			failed := 0
			m := model.Retry(client, model.RetryConfig{
				OnFailure: func(int, *model.Error, time.Duration) { failed++ },
				Sleep:     func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
			})
			req := model.Request{Model: info.ID, System: "You operate a computer.", Tools: []json.RawMessage{entry}, Messages: request("do it").Messages}
			reply, err := m.Reply(t.Context(), req, nil)
			if err != nil || reply.Text != "Héllo." || len(reply.Calls) != 1 {
				t.Fatalf("%+v, %v", reply, err)
			}
			if reply, err = m.Reply(t.Context(), answer(req, reply, deskhand.Text("ok")), nil); err != nil || reply.Text != "Done." {
				t.Fatalf("%+v, %v", reply, err)
			}
			if problems := p.Server.Problems(); len(problems) > 0 {
				t.Errorf("problems %q", problems)
			}
			if slices.ContainsFunc(p.Names(), func(n string) bool { return n != tt.Wants }) {
				t.Errorf("asked for %q, want %q", p.Names(), tt.Wants)
			}
			if want := map[bool]int{true: 1}[p.Refuses != ""]; failed != want || len(p.Names()) != 2+want {
				t.Errorf("%d attempts failed of %d, want %d", failed, len(p.Names()), want)
			}
		})
	}
}

func TestProviderSettingsMissing(t *testing.T) {
	for _, name := range []string{
		"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "ANTHROPIC_FOUNDRY_API_KEY", "ANTHROPIC_AWS_WORKSPACE_ID",
		"GOOGLE_APPLICATION_CREDENTIALS", "ANTHROPIC_FOUNDRY_RESOURCE", "ANTHROPIC_FOUNDRY_BASE_URL",
	} {
		t.Setenv(name, "")
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/secret-path.json")
	for p, part := range map[model.Provider]string{
		model.Bedrock: "Set AWS_REGION", model.AWS: "ANTHROPIC_AWS_WORKSPACE_ID", model.Foundry: "ANTHROPIC_FOUNDRY_RESOURCE",
		model.Vertex: "gcloud auth application-default login", model.GoogleCloud: "gcloud auth application-default login",
	} {
		_, err := claude.Open(t.Context(), claude.ForProvider(p, os.Getenv))
		if deskhand.CodeOf(err) != deskhand.Unauthenticated || !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "secret-path") {
			t.Errorf("%s: %v", p, err)
		}
	}
}
