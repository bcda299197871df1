// Package claudetest has stand-ins for those who serve Claude: each in its own
// wire form, with its own authentication, before the strict server of
// model/script. It is for tests only, and reaches nobody.
package claudetest

import (
	"bytes"
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
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"

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

// Platform is the stand-in of a provider: it checks path and credentials, brings
// the request into the form of the Claude API and lets the strict server judge
// it. It may be used concurrently once its fields are set.
type Platform struct {
	Path    string // with "…" standing for the model's name
	Auth    func(r *http.Request, body []byte) error
	InURL   bool   // model and version are not where the Claude API has them
	Binary  bool   // streams come in the binary form of Bedrock
	Refuses string // a beta feature that it does not know
	Model   string // as the strict server knows it

	Server *script.Server
	T      testing.TB

	mu    sync.Mutex
	names []string
}

// Names returns the names of models that were asked for, oldest first.
func (p *Platform) Names() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.names)
}

// ServeHTTP answers one request as the provider would.
func (p *Platform) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	fail := func(status int, kind, format string, args ...any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"type":"error","error":{"type":%q,"message":%q},"request_id":"req_1"}`, kind, fmt.Sprintf(format, args...))
	}
	if err := p.Auth(r, body); err != nil {
		fail(http.StatusUnauthorized, "authentication_error", "%s", err)
		return
	}
	before, after, _ := strings.Cut(p.Path, "…")
	name, ok := strings.CutPrefix(r.URL.Path, before)
	name, ok2 := strings.CutSuffix(name, after)
	if !ok || !ok2 {
		fail(http.StatusNotFound, "not_found_error", "%s", r.URL.Path)
		return
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		p.T.Error(err)
	}
	header := http.Header{"X-Api-Key": {"checked"}, "Anthropic-Version": r.Header["Anthropic-Version"], "Anthropic-Beta": r.Header["Anthropic-Beta"]}
	if p.InURL {
		header.Set("Anthropic-Version", text(p.T, fields["anthropic_version"]))
		var betas []string
		if raw, ok := fields["anthropic_beta"]; ok {
			if err := json.Unmarshal(raw, &betas); err != nil {
				p.T.Error(err)
			}
			header.Set("Anthropic-Beta", strings.Join(betas, ","))
		}
		delete(fields, "anthropic_version")
		delete(fields, "anthropic_beta")
		fields["stream"] = json.RawMessage("true")
	} else {
		name = text(p.T, fields["model"])
	}
	p.mu.Lock()
	p.names = append(p.names, name)
	p.mu.Unlock()
	if p.Refuses != "" && strings.Contains(header.Get("Anthropic-Beta"), p.Refuses) {
		fail(http.StatusBadRequest, "invalid_request_error", "Unexpected value(s) `%s` for the `anthropic-beta` header.", p.Refuses)
		return
	}
	fields["model"] = json.RawMessage(fmt.Sprintf("%q", p.Model))
	if body, err = json.Marshal(fields); err != nil {
		p.T.Error(err)
	}
	rec := httptest.NewRecorder()
	judged := httptest.NewRequestWithContext(r.Context(), http.MethodPost, "/v1/messages", bytes.NewReader(body))
	judged.Header = header
	p.Server.ServeHTTP(rec, judged)
	out, kind := rec.Body.Bytes(), rec.Header().Get("Content-Type")
	if p.Binary && rec.Code == http.StatusOK {
		out, kind = frames(out), "application/vnd.amazon.eventstream"
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(rec.Code)
	_, _ = w.Write(out)
}

func text(t testing.TB, raw json.RawMessage) (s string) {
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
func googleAccount(t testing.TB) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"access_token": "google-token", "token_type": "Bearer", "expires_in": 3600}`)
	}))
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
