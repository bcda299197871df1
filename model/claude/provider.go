package claude

import (
	"cmp"
	"context"
	"strings"

	"github.com/anthropics/anthropic-sdk-go/v2/aws"
	"github.com/anthropics/anthropic-sdk-go/v2/bedrock"
	"github.com/anthropics/anthropic-sdk-go/v2/foundry"
	"github.com/anthropics/anthropic-sdk-go/v2/googlecloud"
	"github.com/anthropics/anthropic-sdk-go/v2/option"
	"github.com/aws/aws-sdk-go-v2/config"
	"golang.org/x/oauth2/google"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/model"
)

// Place says where at a provider other than Anthropic a model is served. What is
// empty is looked for in the environment as the SDK does.
type Place struct {
	Region    string // AWS_REGION; on Google Cloud a location, default "global"
	Project   string // of Google Cloud
	Workspace string // of Claude Platform on AWS, and on Google Cloud
	Resource  string // of Microsoft Foundry

	// EntraToken returns a token of Microsoft Entra ID for foundry.EntraIDScope.
	// It is called for each request, so it should keep tokens. Default: the API
	// key, else the AuthToken.
	EntraToken func(ctx context.Context) (string, error)
}

const googleScope = "https://www.googleapis.com/auth/cloud-platform"

// detected lists the variables that make a provider the one that is meant when
// none is named, in the order they are looked for.
func detected() []struct {
	provider model.Provider
	names    []string
} {
	return []struct {
		provider model.Provider
		names    []string
	}{
		{model.Anthropic, []string{"ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_PROFILE", "ANTHROPIC_FEDERATION_RULE_ID"}},
		{model.Foundry, []string{"ANTHROPIC_FOUNDRY_API_KEY", "ANTHROPIC_FOUNDRY_RESOURCE", "ANTHROPIC_FOUNDRY_BASE_URL"}},
		{model.AWS, []string{"ANTHROPIC_AWS_API_KEY", "ANTHROPIC_AWS_WORKSPACE_ID", "ANTHROPIC_AWS_BASE_URL"}},
		{model.GoogleCloud, []string{"ANTHROPIC_GOOGLE_CLOUD_PROJECT", "ANTHROPIC_GOOGLE_CLOUD_WORKSPACE_ID", "ANTHROPIC_GOOGLE_CLOUD_BASE_URL"}},
		{model.Vertex, []string{"ANTHROPIC_VERTEX_PROJECT_ID", "ANTHROPIC_VERTEX_BASE_URL"}},
		{model.Bedrock, []string{"AWS_BEARER_TOKEN_BEDROCK", "ANTHROPIC_BEDROCK_BASE_URL"}},
	}
}

// AddressVariables names the variables of the environment that say where models
// are asked, whoever serves them.
func AddressVariables() []string {
	all := []string{"ANTHROPIC_BASE_URL"} // speaks for no provider: a gateway may stand there
	for _, d := range detected() {
		for _, name := range d.names {
			if strings.HasSuffix(name, "_BASE_URL") {
				all = append(all, name)
			}
		}
	}
	return all
}

// Detect returns the provider that the environment speaks of: Anthropic, unless
// only variables of another one are set.
func Detect(getenv func(string) string) model.Provider {
	for _, d := range detected() {
		for _, name := range d.names {
			if getenv(name) != "" {
				return d.provider
			}
		}
	}
	return model.Anthropic
}

// placed completes a Config for a provider other than Anthropic. Its keys are
// the SDK's to find, so that one provider's never reaches another.
func placed(p model.Provider, getenv func(string) string) Config {
	c := Config{Provider: p, Ambient: true, Headers: customHeaders(getenv)}
	switch p {
	case model.Bedrock:
		c.BaseURL = getenv("ANTHROPIC_BEDROCK_BASE_URL")
	case model.Vertex:
		c.BaseURL = getenv("ANTHROPIC_VERTEX_BASE_URL")
		c.Place = Place{Region: getenv("CLOUD_ML_REGION"), Project: cmp.Or(getenv("ANTHROPIC_VERTEX_PROJECT_ID"), getenv("GOOGLE_CLOUD_PROJECT"))}
	case model.Foundry:
		c.APIKey, c.AuthToken = getenv("ANTHROPIC_FOUNDRY_API_KEY"), getenv("ANTHROPIC_FOUNDRY_AUTH_TOKEN")
	}
	return c
}

// connect returns the SDK's options for the provider: the address, the wire form
// and the credentials.
func (c Config) connect(ctx context.Context) ([]option.RequestOption, error) {
	switch c.Provider {
	case model.Bedrock:
		return c.bedrock(ctx)
	case model.Vertex:
		return c.vertex(ctx)
	case model.AWS:
		client, err := aws.NewClient(ctx, aws.ClientConfig{APIKey: c.APIKey, AWSRegion: c.Place.Region, WorkspaceID: c.Place.Workspace, BaseURL: c.BaseURL})
		if err != nil {
			return nil, unplaced(err, "Set AWS_REGION and ANTHROPIC_AWS_WORKSPACE_ID, and AWS credentials or ANTHROPIC_AWS_API_KEY.")
		}
		return client.Options, nil
	case model.GoogleCloud:
		client, err := googlecloud.NewClient(ctx, googlecloud.ClientConfig{
			Project: c.Place.Project, Location: c.Place.Region, WorkspaceID: c.Place.Workspace, BaseURL: c.BaseURL,
		})
		if err != nil {
			return nil, unplaced(err, "Set ANTHROPIC_GOOGLE_CLOUD_PROJECT and ANTHROPIC_GOOGLE_CLOUD_WORKSPACE_ID, and sign in with gcloud auth application-default login.")
		}
		return client.Options, nil
	case model.Foundry:
		return c.foundry()
	}
	return []option.RequestOption{option.WithBaseURL(c.BaseURL)}, nil
}

func (c Config) bedrock(ctx context.Context) ([]option.RequestOption, error) {
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(c.Place.Region))
	if err == nil && cfg.Region == "" {
		err = deskhand.Errorf("", deskhand.Invalid, "no region")
	}
	if err != nil {
		return nil, unplaced(err, "Set AWS_REGION, and AWS credentials or AWS_BEARER_TOKEN_BEDROCK.")
	}
	return c.at(bedrock.WithConfig(cfg)), nil
}

func (c Config) vertex(ctx context.Context) ([]option.RequestOption, error) {
	creds, err := google.FindDefaultCredentials(ctx, googleScope)
	if err != nil {
		return nil, unplaced(err, "Sign in with gcloud auth application-default login, or set GOOGLE_APPLICATION_CREDENTIALS.")
	}
	project := cmp.Or(c.Place.Project, creds.ProjectID)
	if project == "" {
		return nil, deskhand.Errorf("", deskhand.Invalid, "There is no project of Google Cloud. Set ANTHROPIC_VERTEX_PROJECT_ID.")
	}
	region := cmp.Or(c.Place.Region, "global")
	return []option.RequestOption{
		option.WithBaseURL(cmp.Or(c.BaseURL, vertexAddress(region))), option.WithMiddleware(toVertex(region, project, creds.TokenSource)),
	}, nil
}

func (c Config) foundry() ([]option.RequestOption, error) {
	cfg := foundry.ClientConfig{APIKey: c.APIKey, Resource: c.Place.Resource, BaseURL: c.BaseURL, AzureADTokenProvider: c.Place.EntraToken}
	if cfg.AzureADTokenProvider == nil && c.APIKey == "" && c.AuthToken != "" {
		cfg.AzureADTokenProvider = func(context.Context) (string, error) { return c.AuthToken, nil }
	}
	client, err := foundry.NewClient(cfg)
	if err != nil {
		return nil, unplaced(err, "Set ANTHROPIC_FOUNDRY_RESOURCE, and ANTHROPIC_FOUNDRY_API_KEY or ANTHROPIC_FOUNDRY_AUTH_TOKEN.")
	}
	return client.Options, nil
}

// at adds an address of one's own, such as a gateway's.
func (c Config) at(opt option.RequestOption) []option.RequestOption {
	opts := []option.RequestOption{opt}
	if c.BaseURL != "" {
		opts = append(opts, option.WithBaseURL(c.BaseURL))
	}
	return opts
}

// unplaced is a provider that cannot be reached as the environment stands. The
// SDK's words stay in the cause, where nobody shows them: they may quote files.
func unplaced(err error, advice string) error {
	return deskhand.E("", deskhand.Unauthenticated, &misplaced{advice, err})
}

type misplaced struct {
	advice string
	cause  error
}

func (e *misplaced) Error() string { return "The provider's settings are incomplete. " + e.advice }

func (e *misplaced) Unwrap() error { return e.cause }
