package claudetest

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/deskhand/deskhand/model"
)

// Case is one way to reach a provider.
type Case struct {
	Name     string
	Env      map[string]string // that makes it the one that is meant; BASE stands for the stand-in's address
	Provider model.Provider
	Model    string
	Wants    string // the model's name on the wire
	Platform *Platform
}

// Environ returns the case's environment with the stand-in at base.
func (c Case) Environ(base string) map[string]string {
	env := map[string]string{}
	for name, value := range c.Env {
		env[name] = strings.ReplaceAll(value, "BASE", base)
	}
	return env
}

// Cases returns every way, each with a stand-in of its own that has neither a
// Server nor a T yet. What they need lives as long as the test.
func Cases(t testing.TB) []Case {
	t.Helper()
	awsEnv := map[string]string{"AWS_ACCESS_KEY_ID": awsKey, "AWS_SECRET_ACCESS_KEY": awsSecret, "AWS_REGION": "eu-north-1"}
	google := map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": googleAccount(t)}
	with := func(m map[string]string, more ...string) map[string]string {
		out := maps.Clone(m)
		for i := 0; i+1 < len(more); i += 2 {
			out[more[i]] = more[i+1]
		}
		return out
	}
	sigv4 := func(service string) func(*http.Request, []byte) error {
		return func(r *http.Request, body []byte) error { return signed(r, body, "eu-north-1", service) }
	}
	return []Case{
		{"bedrock, signed", with(awsEnv, "ANTHROPIC_BEDROCK_BASE_URL", "BASE"), model.Bedrock, "claude-sonnet-4-5", "anthropic.claude-sonnet-4-5-20250929-v1:0",
			&Platform{Path: "/model/…/invoke-with-response-stream", Auth: sigv4("bedrock"), InURL: true, Binary: true}},
		{"bedrock, token", map[string]string{"AWS_BEARER_TOKEN_BEDROCK": "bedrock-token", "AWS_REGION": "eu-north-1", "ANTHROPIC_BEDROCK_BASE_URL": "BASE"}, model.Bedrock, "claude-opus-5", "anthropic.claude-opus-5",
			&Platform{Path: "/model/…/invoke-with-response-stream", Auth: bearer("bedrock-token"), InURL: true, Binary: true}},
		{"bedrock without compaction", with(awsEnv, "ANTHROPIC_BEDROCK_BASE_URL", "BASE"), model.Bedrock, "claude-sonnet-5-5", "anthropic.claude-sonnet-5-5",
			&Platform{Path: "/model/…/invoke-with-response-stream", Auth: sigv4("bedrock"), InURL: true, Binary: true, Refuses: "compact-2026-01-12"}},
		{"claude platform on aws, signed", with(awsEnv, "ANTHROPIC_AWS_WORKSPACE_ID", "wrk", "ANTHROPIC_AWS_BASE_URL", "BASE"), model.AWS, "claude-sonnet-5-5", "claude-sonnet-5-5",
			&Platform{Path: "/v1/messages…", Auth: sigv4("aws-external-anthropic")}},
		{"claude platform on aws, key", map[string]string{"ANTHROPIC_AWS_API_KEY": "aws-key", "AWS_REGION": "eu-north-1", "ANTHROPIC_AWS_WORKSPACE_ID": "wrk", "ANTHROPIC_AWS_BASE_URL": "BASE"}, model.AWS, "claude-haiku-5-5", "claude-haiku-5-5",
			&Platform{Path: "/v1/messages…", Auth: bearer("aws-key")}},
		{"vertex", with(google, "ANTHROPIC_VERTEX_PROJECT_ID", "proj", "CLOUD_ML_REGION", "europe-west4", "ANTHROPIC_VERTEX_BASE_URL", "BASE"), model.Vertex, "claude-haiku-4-5", "claude-haiku-4-5@20251001",
			&Platform{Path: "/v1/projects/proj/locations/europe-west4/publishers/anthropic/models/…:streamRawPredict", Auth: bearer("google-token"), InURL: true}},
		{"google cloud", with(google, "ANTHROPIC_GOOGLE_CLOUD_PROJECT", "proj", "ANTHROPIC_GOOGLE_CLOUD_WORKSPACE_ID", "wrk", "ANTHROPIC_GOOGLE_CLOUD_BASE_URL", "BASE"), model.GoogleCloud, "claude-opus-5-5", "claude-opus-5-5",
			&Platform{Path: "/v1/messages…", Auth: bearer("google-token")}},
		{"foundry, key", map[string]string{"ANTHROPIC_FOUNDRY_API_KEY": "foundry-key", "ANTHROPIC_FOUNDRY_BASE_URL": "BASE"}, model.Foundry, "claude-sonnet-5-5", "claude-sonnet-5-5",
			&Platform{Path: "/v1/messages…", Auth: apiKey("foundry-key")}},
		{"foundry, entra", map[string]string{"ANTHROPIC_FOUNDRY_AUTH_TOKEN": "entra-token", "ANTHROPIC_FOUNDRY_BASE_URL": "BASE"}, model.Foundry, "claude-sonnet-5-5", "claude-sonnet-5-5",
			&Platform{Path: "/v1/messages…", Auth: bearer("entra-token")}},
	}
}
