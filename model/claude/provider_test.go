package claude_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/model/claude"
	"github.com/deskhand/deskhand/model/script"
)

const (
	awsKey    = "AKIDEXAMPLE"
	awsSecret = "aws-secret-canary"
)

// signed checks a request's signature, Version 4, from its definition.
func signed(r *http.Request, body []byte, region, service string) error {
	fields := map[string]string{}
	scheme, rest, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		fields[name] = value
	}
	date := r.Header.Get("X-Amz-Date")
	if scheme != "AWS4-HMAC-SHA256" || len(date) < 8 {
		return fmt.Errorf("not signed: %q", r.Header.Get("Authorization"))
	}
	scope := date[:8] + "/" + region + "/" + service + "/aws4_request"
	if fields["Credential"] != awsKey+"/"+scope {
		return fmt.Errorf("credential %q, want scope %q", fields["Credential"], scope)
	}
	var headers strings.Builder
	for name := range strings.SplitSeq(fields["SignedHeaders"], ";") {
		value := r.Header.Get(name)
		switch name {
		case "host":
			value = r.Host
		case "content-length":
			value = fmt.Sprint(r.ContentLength)
		}
		fmt.Fprintf(&headers, "%s:%s\n", name, strings.TrimSpace(value))
	}
	var path []string // encoded once more than on the wire
	for segment := range strings.SplitSeq(r.URL.EscapedPath(), "/") {
		path = append(path, strings.NewReplacer("%", "%25", ":", "%3A").Replace(segment))
	}
	sum := func(b []byte) string { h := sha256.Sum256(b); return hex.EncodeToString(h[:]) }
	canonical := strings.Join([]string{r.Method, strings.Join(path, "/"), r.URL.RawQuery, headers.String(), fields["SignedHeaders"], sum(body)}, "\n")
	key := []byte("AWS4" + awsSecret)
	for _, part := range []string{date[:8], region, service, "aws4_request", "AWS4-HMAC-SHA256\n" + date + "\n" + scope + "\n" + sum([]byte(canonical))} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	if hex.EncodeToString(key) != fields["Signature"] {
		return fmt.Errorf("the signature is not that of\n%s", canonical)
	}
	return nil
}

// frames turns a stream of events into the binary form of Bedrock.
func frames(sse []byte) []byte {
	var out bytes.Buffer
	enc := eventstream.NewEncoder()
	for line := range strings.SplitSeq(string(sse), "\n") {
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok {
			continue
		}
		payload := fmt.Sprintf(`{"bytes":%q,"p":"abc"}`, base64.StdEncoding.EncodeToString([]byte(data)))
		msg := eventstream.Message{Payload: []byte(payload)}
		msg.Headers.Set(":message-type", eventstream.StringValue("event"))
		msg.Headers.Set(":event-type", eventstream.StringValue("chunk"))
		if err := enc.Encode(&out, msg); err != nil {
			panic(err) // unreachable: a buffer takes everything
		}
	}
	return out.Bytes()
}

// stand-in of a provider: it checks path and credentials, brings the request
// into the form of the Claude API and lets the strict server judge it.
type platform struct {
	path    string // with "…" standing for the model's name
	auth    func(r *http.Request, body []byte) error
	inURL   bool // model and version are not where the Claude API has them
	binary  bool
	refuses string // a header that it does not know
	model   string // as the strict server knows it

	server *script.Server
	t      *testing.T
	names  []string // of models that were asked for
	betas  []string
}

func (p *platform) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	fail := func(status int, kind, format string, args ...any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprint(w, apiError(kind, fmt.Sprintf(format, args...), ""))
	}
	if err := p.auth(r, body); err != nil {
		fail(http.StatusUnauthorized, "authentication_error", "%s", err)
		return
	}
	before, after, _ := strings.Cut(p.path, "…")
	name, ok := strings.CutPrefix(r.URL.Path, before)
	name, ok2 := strings.CutSuffix(name, after)
	if !ok || !ok2 {
		fail(http.StatusNotFound, "not_found_error", "%s", r.URL.Path)
		return
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		p.t.Error(err)
	}
	header := http.Header{"X-Api-Key": {"checked"}, "Anthropic-Version": r.Header["Anthropic-Version"], "Anthropic-Beta": r.Header["Anthropic-Beta"]}
	if p.inURL {
		header.Set("Anthropic-Version", text(p.t, fields["anthropic_version"]))
		var betas []string
		if raw, ok := fields["anthropic_beta"]; ok {
			if err := json.Unmarshal(raw, &betas); err != nil {
				p.t.Error(err)
			}
			header.Set("Anthropic-Beta", strings.Join(betas, ","))
		}
		delete(fields, "anthropic_version")
		delete(fields, "anthropic_beta")
		fields["stream"] = json.RawMessage("true")
	} else {
		name = text(p.t, fields["model"])
	}
	p.names, p.betas = append(p.names, name), append(p.betas, header.Get("Anthropic-Beta"))
	if p.refuses != "" && strings.Contains(header.Get("Anthropic-Beta"), p.refuses) {
		fail(http.StatusBadRequest, "invalid_request_error", "Unexpected value(s) `%s` for the `anthropic-beta` header.", p.refuses)
		return
	}
	fields["model"] = json.RawMessage(fmt.Sprintf("%q", p.model))
	if body, err = json.Marshal(fields); err != nil {
		p.t.Error(err)
	}
	rec := httptest.NewRecorder()
	judged := httptest.NewRequestWithContext(r.Context(), http.MethodPost, "/v1/messages", bytes.NewReader(body))
	judged.Header = header
	p.server.ServeHTTP(rec, judged)
	out, kind := rec.Body.Bytes(), rec.Header().Get("Content-Type")
	if p.binary && rec.Code == http.StatusOK {
		out, kind = frames(out), "application/vnd.amazon.eventstream"
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(rec.Code)
	_, _ = w.Write(out)
}

func text(t *testing.T, raw json.RawMessage) (s string) {
	t.Helper()
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Errorf("%s: %v", raw, err)
	}
	return s
}

func bearer(want string) func(*http.Request, []byte) error {
	return func(r *http.Request, _ []byte) error {
		if got := r.Header.Get("Authorization"); got != "Bearer "+want || r.Header.Get("X-Api-Key") != "" {
			return fmt.Errorf("authorization %q", got)
		}
		return nil
	}
}

func apiKey(want string) func(*http.Request, []byte) error {
	return func(r *http.Request, _ []byte) error {
		if got := r.Header.Get("X-Api-Key"); got != want || r.Header.Get("Authorization") != "" {
			return fmt.Errorf("key %q", got)
		}
		return nil
	}
}

// googleAccount makes a service account whose tokens come from a server of ours.
func googleAccount(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	tokens := httptest.NewServer(respond(200, "application/json", `{"access_token": "google-token", "token_type": "Bearer", "expires_in": 3600}`))
	t.Cleanup(tokens.Close)
	account, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "its-project", "client_email": "a@example.com", "token_uri": tokens.URL,
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "account.json")
	if err := os.WriteFile(file, account, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestProviders plays a conversation through each provider's wire form and
// authentication. It sets the environment, as the SDKs read it themselves.
func TestProviders(t *testing.T) {
	for _, name := range []string{"AWS_PROFILE", "AWS_BEARER_TOKEN_BEDROCK", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "AWS_SESSION_TOKEN"} {
		t.Setenv(name, "")
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	awsEnv := map[string]string{"AWS_ACCESS_KEY_ID": awsKey, "AWS_SECRET_ACCESS_KEY": awsSecret, "AWS_REGION": "eu-north-1"}
	google := map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": googleAccount(t)}
	with := func(m map[string]string, more ...string) map[string]string {
		out := map[string]string{}
		for k, v := range m {
			out[k] = v
		}
		for i := 0; i+1 < len(more); i += 2 {
			out[more[i]] = more[i+1]
		}
		return out
	}
	sigv4 := func(service string) func(*http.Request, []byte) error {
		return func(r *http.Request, body []byte) error { return signed(r, body, "eu-north-1", service) }
	}
	tests := []struct {
		name     string
		env      map[string]string // BASE stands for the stand-in's address
		provider model.Provider
		model    string
		wants    string // the model's name on the wire
		platform platform
	}{
		{"bedrock, signed", with(awsEnv, "ANTHROPIC_BEDROCK_BASE_URL", "BASE"), model.Bedrock, "claude-sonnet-4-5", "anthropic.claude-sonnet-4-5-20250929-v1:0",
			platform{path: "/model/…/invoke-with-response-stream", auth: sigv4("bedrock"), inURL: true, binary: true}},
		{"bedrock, token", map[string]string{"AWS_BEARER_TOKEN_BEDROCK": "bedrock-token", "AWS_REGION": "eu-north-1", "ANTHROPIC_BEDROCK_BASE_URL": "BASE"}, model.Bedrock, "claude-opus-5", "anthropic.claude-opus-5",
			platform{path: "/model/…/invoke-with-response-stream", auth: bearer("bedrock-token"), inURL: true, binary: true}},
		{"bedrock without compaction", with(awsEnv, "ANTHROPIC_BEDROCK_BASE_URL", "BASE"), model.Bedrock, "claude-sonnet-5-5", "anthropic.claude-sonnet-5-5",
			platform{path: "/model/…/invoke-with-response-stream", auth: sigv4("bedrock"), inURL: true, binary: true, refuses: "compact-2026-01-12"}},
		{"claude platform on aws, signed", with(awsEnv, "ANTHROPIC_AWS_WORKSPACE_ID", "wrk", "ANTHROPIC_AWS_BASE_URL", "BASE"), model.AWS, "claude-sonnet-5-5", "claude-sonnet-5-5",
			platform{path: "/v1/messages…", auth: sigv4("aws-external-anthropic")}},
		{"claude platform on aws, key", map[string]string{"ANTHROPIC_AWS_API_KEY": "aws-key", "AWS_REGION": "eu-north-1", "ANTHROPIC_AWS_WORKSPACE_ID": "wrk", "ANTHROPIC_AWS_BASE_URL": "BASE"}, model.AWS, "claude-haiku-5-5", "claude-haiku-5-5",
			platform{path: "/v1/messages…", auth: bearer("aws-key")}},
		{"vertex", with(google, "ANTHROPIC_VERTEX_PROJECT_ID", "proj", "CLOUD_ML_REGION", "europe-west4", "ANTHROPIC_VERTEX_BASE_URL", "BASE"), model.Vertex, "claude-haiku-4-5", "claude-haiku-4-5@20251001",
			platform{path: "/v1/projects/proj/locations/europe-west4/publishers/anthropic/models/…:streamRawPredict", auth: bearer("google-token"), inURL: true}},
		{"google cloud", with(google, "ANTHROPIC_GOOGLE_CLOUD_PROJECT", "proj", "ANTHROPIC_GOOGLE_CLOUD_WORKSPACE_ID", "wrk", "ANTHROPIC_GOOGLE_CLOUD_BASE_URL", "BASE"), model.GoogleCloud, "claude-opus-5-5", "claude-opus-5-5",
			platform{path: "/v1/messages…", auth: bearer("google-token")}},
		{"foundry, key", map[string]string{"ANTHROPIC_FOUNDRY_API_KEY": "foundry-key", "ANTHROPIC_FOUNDRY_BASE_URL": "BASE"}, model.Foundry, "claude-sonnet-5-5", "claude-sonnet-5-5",
			platform{path: "/v1/messages…", auth: apiKey("foundry-key")}},
		{"foundry, entra", map[string]string{"ANTHROPIC_FOUNDRY_AUTH_TOKEN": "entra-token", "ANTHROPIC_FOUNDRY_BASE_URL": "BASE"}, model.Foundry, "claude-sonnet-5-5", "claude-sonnet-5-5",
			platform{path: "/v1/messages…", auth: bearer("entra-token")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := &tt.platform
			p.t, p.model = t, tt.model
			kind := "computer_toolset_20260801"
			info, err := model.Lookup(tt.model)
			if err != nil {
				t.Fatal(err)
			}
			entry, calls := json.RawMessage(`{"type":"bash_20250124","name":"bash"}`), "bash {\"command\": \"true\"}"
			if p.server, err = script.New([]byte("-- model --\nHéllo.\n"+calls+"\n-- model --\nDone.\n"), script.Options{Name: kind}); err != nil {
				t.Fatal(err)
			}
			standIn := httptest.NewServer(p)
			t.Cleanup(standIn.Close)
			for name, value := range tt.env {
				t.Setenv(name, strings.ReplaceAll(value, "BASE", standIn.URL))
			}
			if got := claude.Detect(os.Getenv); got != tt.provider {
				t.Errorf("the environment speaks of %s, want %s", got, tt.provider)
			}
			client, err := claude.Open(t.Context(), claude.ForProvider(tt.provider, os.Getenv))
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
			if problems := p.server.Problems(); len(problems) > 0 {
				t.Errorf("problems %q", problems)
			}
			if slices.ContainsFunc(p.names, func(n string) bool { return n != tt.wants }) {
				t.Errorf("asked for %q, want %q", p.names, tt.wants)
			}
			if want := map[bool]int{true: 1}[p.refuses != ""]; failed != want || len(p.names) != 2+want {
				t.Errorf("%d attempts failed of %d, want %d", failed, len(p.names), want)
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
