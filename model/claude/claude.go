// Package claude speaks the Messages API with the official SDK: model.Model
// over HTTP, always streamed.
//
// It sends bytes, not SDK structs: tool entries and assistant content go out
// exactly as they came, so that equal prefixes are equal on the wire and
// thinking stays bound to its conversation (docs/decisions/0008).
//
// Trust: the endpoint is whoever the base URL names. Nothing it sends is
// believed beyond its form: sizes are bounded, errors are cut and cleaned of
// the key before anyone reads them. It retries nothing; model.Retry does.
package claude

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/anthropics/anthropic-sdk-go/v2"
	"github.com/anthropics/anthropic-sdk-go/v2/option"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/model"
)

// Version is the version of the Messages API that this package speaks.
const Version = "2026-10-21"

// Config says where the API is and who asks.
type Config struct {
	BaseURL   string            // default https://api.anthropic.com/
	APIKey    string            // one of APIKey, AuthToken and Ambient is required
	AuthToken string            // default none; ignored beside an APIKey
	Ambient   bool              // let the SDK find a profile or workload identity in the environment; default false
	Headers   map[string]string // added to every request; default none
	Version   string            // anthropic-version header; default Version
	Models    model.Catalogue   // what is known of models; default the built-in catalogue
	Provider  model.Provider    // who serves them; default model.Anthropic
	Place     Place             // where, at other providers than Anthropic; default from the environment

	// HTTPClient sends the requests; default one of our own, with the proxy of
	// the environment.
	HTTPClient *http.Client

	// MaxIdle is the longest silence of a stream. A ping breaks the silence, but
	// a stream of nothing but pings ends after pingPatience times MaxIdle.
	// Default 5m.
	MaxIdle time.Duration
}

const (
	defaultBaseURL = "https://api.anthropic.com/"
	defaultMaxIdle = 5 * time.Minute
	pingPatience   = 4
)

// FromEnvironment returns a Config for the provider that the environment speaks
// of (see Detect).
func FromEnvironment(getenv func(string) string) Config { return ForProvider(Detect(getenv), getenv) }

// ForProvider returns a Config for a provider from the SDK's variables, read
// through getenv (os.Getenv in a program). For Anthropic: ANTHROPIC_API_KEY, ANTHROPIC_AUTH_TOKEN,
// ANTHROPIC_BASE_URL, ANTHROPIC_CUSTOM_HEADERS. With neither key nor token, but
// a named profile or workload identity, the SDK's own search is asked for.
func ForProvider(p model.Provider, getenv func(string) string) Config {
	if p != model.Anthropic {
		return placed(p, getenv)
	}
	c := Config{
		BaseURL:   getenv("ANTHROPIC_BASE_URL"),
		APIKey:    getenv("ANTHROPIC_API_KEY"),
		AuthToken: getenv("ANTHROPIC_AUTH_TOKEN"),
		Headers:   customHeaders(getenv),
	}
	c.Ambient = !c.HasKey() && (getenv("ANTHROPIC_PROFILE") != "" || getenv("ANTHROPIC_FEDERATION_RULE_ID") != "")
	return c
}

func customHeaders(getenv func(string) string) map[string]string {
	headers := map[string]string{}
	for line := range strings.SplitSeq(getenv("ANTHROPIC_CUSTOM_HEADERS"), "\n") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			headers[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
	}
	return headers
}

// HasKey reports whether c has a credential of its own.
func (c Config) HasKey() bool { return c.APIKey != "" || c.AuthToken != "" }

func (c Config) withDefaults() Config {
	if c.Provider == "" {
		c.Provider = model.Anthropic
	}
	if c.BaseURL == "" && c.Provider == model.Anthropic {
		c.BaseURL = defaultBaseURL
	}
	if c.Version == "" {
		c.Version = Version
	}
	if c.MaxIdle <= 0 {
		c.MaxIdle = defaultMaxIdle
	}
	return c
}

func (c Config) validate() error {
	base, err := url.Parse(c.BaseURL)
	if c.Provider != model.Anthropic && c.BaseURL == "" {
		return nil // the SDK makes it of the region or the resource
	}
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" {
		return deskhand.Errorf("", deskhand.Invalid, "The API's address is not an http or https URL. Check ANTHROPIC_BASE_URL.")
	}
	if c.Provider == model.Anthropic && !c.HasKey() && !c.Ambient {
		return deskhand.Errorf("", deskhand.Unauthenticated, "There is no API key. Set ANTHROPIC_API_KEY, or play a script with --model script:FILE.")
	}
	return nil
}

// Client is the Messages API as a model.Model. It may be used concurrently.
type Client struct {
	api     anthropic.Client
	http    *http.Client
	own     bool // http is ours to close
	config  Config
	failure failures

	mu    sync.Mutex       // guards lacks
	lacks map[feature]bool // what the endpoint has refused
}

var _ model.Model = (*Client)(nil)

// New is Open for an endpoint whose credentials need no search.
func New(c Config) (*Client, error) { return Open(context.Background(), c) }

// Open returns a client. No request is made to the API; the SDK may look for
// credentials of a provider, under ctx. Errors: Invalid, Unauthenticated.
func Open(ctx context.Context, c Config) (*Client, error) {
	c = c.withDefaults()
	if err := c.validate(); err != nil {
		return nil, err
	}
	client := &Client{http: c.HTTPClient, config: c, failure: failuresOf(c), lacks: map[feature]bool{}}
	if client.http == nil {
		client.own = true
		client.http = &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}
	}
	place, err := c.connect(ctx)
	if err != nil {
		return nil, err
	}
	client.api = anthropic.NewClient(client.options(place)...)
	return client, nil
}

// options returns the options of the SDK. Those of the provider come last, as it
// demands: what it adapts must lie closest to the wire.
func (c *Client) options(place []option.RequestOption) []option.RequestOption {
	opts := []option.RequestOption{
		option.WithHTTPClient(c.http),
		option.WithMaxRetries(0), // attempts are journaled, so model.Retry makes them
		option.WithMiddleware(limitErrorBody),
	}
	switch {
	case c.config.Provider != model.Anthropic:
		opts = append(opts, option.WithoutEnvironmentDefaults())
	case c.config.APIKey != "":
		opts = append(opts, option.WithoutEnvironmentDefaults(), option.WithAPIKey(c.config.APIKey))
	case c.config.AuthToken != "":
		opts = append(opts, option.WithoutEnvironmentDefaults(), option.WithAuthToken(c.config.AuthToken))
	}
	for name, value := range c.config.Headers {
		opts = append(opts, option.WithHeader(name, value))
	}
	return append(append(opts, option.WithHeader("anthropic-version", c.config.Version)), place...)
}

// Close drops idle connections. Replies under way are not affected.
func (c *Client) Close() error {
	if c.own {
		c.http.CloseIdleConnections()
	}
	return nil
}

// Reply implements model.Model.
func (c *Client) Reply(ctx context.Context, req model.Request, on func(model.Delta)) (model.Reply, error) {
	if on == nil {
		on = func(model.Delta) {}
	}
	info, err := c.info(req.Model)
	if err != nil {
		return model.Reply{}, refusal(ctx, err)
	}
	out, err := encode(ctx, req, info)
	if err != nil {
		return model.Reply{}, refusal(ctx, err)
	}
	ctx, idle := watch(ctx, c.config.MaxIdle)
	defer idle.stop()

	var res *http.Response
	err = c.api.Post(ctx, "v1/messages", out.body, &res, headers(out.betas)...)
	if err != nil {
		return model.Reply{}, c.lacking(c.failure.of(ctx, err), out)
	}
	defer res.Body.Close()
	reply, err := read(res, idle, on)
	if err != nil {
		return model.Reply{}, c.failure.of(ctx, err)
	}
	if out.omitted > 0 {
		reply.Cleared = append(reply.Cleared, deskhand.Cleared{What: deskhand.ClearedImages, Count: out.omitted})
	}
	return reply, nil
}

func headers(betas []string) []option.RequestOption {
	if len(betas) == 0 {
		return nil
	}
	return []option.RequestOption{option.WithHeader("anthropic-beta", strings.Join(betas, ","))}
}
