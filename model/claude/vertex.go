package claude

import (
	"bytes"
	"io"
	"net/http"
	"net/url"

	"github.com/anthropics/anthropic-sdk-go/v2/option"
	"golang.org/x/oauth2"

	"github.com/deskhand/deskhand/internal/rawjson"
)

// vertexAddress returns where publisher models of a location are served.
func vertexAddress(region string) string {
	switch region {
	case "global":
		return "https://aiplatform.googleapis.com/"
	case "us", "eu":
		return "https://aiplatform." + region + ".rep.googleapis.com/"
	}
	return "https://" + region + "-aiplatform.googleapis.com/"
}

// toVertex brings a request into the form of Vertex AI: the model is part of the
// address, the version part of the body, and a token of Google's the credential.
//
// The SDK's own package for it is not used: it brings gRPC with it, 17 MB of the
// program, and a goroutine that starts with it (docs/decisions/0042).
func toVertex(region, project string, tokens oauth2.TokenSource) option.Middleware {
	return func(r *http.Request, next option.MiddlewareNext) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		fields, err := rawjson.Parse(body)
		if err != nil {
			return nil, err
		}
		path := "/v1/projects/" + url.PathEscape(project) + "/locations/" + url.PathEscape(region) +
			"/publishers/anthropic/models/" + url.PathEscape(fields.Text("model")) + ":streamRawPredict"
		to, err := r.URL.Parse(path)
		if err != nil {
			return nil, err
		}
		fields.Delete("model")
		fields.Set("anthropic_version", rawjson.String(r.Header.Get("Anthropic-Version")))
		r.Header.Del("Anthropic-Version")
		body = fields.Bytes()
		r.URL, r.Body, r.ContentLength = to, io.NopCloser(bytes.NewReader(body)), int64(len(body))
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		token, err := tokens.Token()
		if err != nil {
			return nil, err
		}
		token.SetAuthHeader(r)
		return next(r)
	}
}
