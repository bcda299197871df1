package script

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/deskhand/deskhand"
)

// The versions of the API.
const (
	version2026 = "2026-10-21"
	version2023 = "2023-06-01"
)

// toolEntry is one entry of the tools array.
type toolEntry struct {
	raw          json.RawMessage
	fields       map[string]json.RawMessage
	Type         string        `json:"type"`
	Name         string        `json:"name"`
	CacheControl *cacheControl `json:"cache_control"`
}

// imageFacts is what an image really is.
type imageFacts struct {
	size   deskhand.Size
	format string
	fault  string // why it cannot be read; empty when it can
}

// tokens is about what an entry adds to the prompt.
func (t toolEntry) tokens() int {
	known := map[string]int{
		"computer_toolset_20260801": 4520,
		"browser_toolset_20260801":  6610,
		"computer_20251124":         1234,
		"computer_20250124":         1234,
		"computer_20241022":         1234,
		"bash_20250124":             325,
		"bash_20241022":             325,
		"text_editor_20250728":      700,
		"text_editor_20250429":      700,
		"text_editor_20250124":      700,
		"text_editor_20241022":      700,
	}
	if n, ok := known[t.Type]; ok {
		return n
	}
	return textTokens(len(t.raw))
}

// admit reads a request and judges it.
func (s *Server) admit(header http.Header, body []byte) (*request, *refusal) {
	if refused := s.checkHeader(header); refused != nil {
		return nil, refused
	}
	r, refused := readRequest(body)
	if refused != nil {
		return nil, refused
	}
	for value := range strings.SplitSeq(strings.Join(header.Values("anthropic-beta"), ","), ",") {
		if value = strings.TrimSpace(value); value != "" {
			r.betas = append(r.betas, value)
		}
	}
	r.version = header.Get("anthropic-version")
	info, err := s.models.Lookup(r.Model)
	if err != nil {
		return nil, refuse("not_found_error", "model: %s", r.Model)
	}
	r.info = info.At(s.at)
	if len(body) > r.info.Bounds.Body {
		return nil, refuse("request_too_large", "Request exceeds the maximum size")
	}
	if len(s.digests) > maxDigested {
		clear(s.digests)
	}
	for _, c := range r.blocks() {
		c.known = s.digests
	}
	for _, raw := range r.Tools {
		t := toolEntry{raw: raw}
		if json.Unmarshal(raw, &t) != nil || json.Unmarshal(raw, &t.fields) != nil {
			return nil, invalid("tools: Input should be a valid dictionary")
		}
		r.entries = append(r.entries, t)
	}
	for _, judge := range s.judges() {
		if refused := judge(r); refused != nil {
			return nil, refused
		}
	}
	return r, nil
}

func (s *Server) checkHeader(h http.Header) *refusal {
	switch version := h.Get("anthropic-version"); {
	case version == "":
		return invalid("anthropic-version: header is required")
	case !slices.Contains([]string{version2026, version2023}, version):
		return invalid("anthropic-version: %q is not a valid version", version)
	}
	key := h.Get("x-api-key")
	if bearer, ok := strings.CutPrefix(h.Get("Authorization"), "Bearer "); ok {
		key = bearer
	}
	switch {
	case key == "":
		return refuse("authentication_error", "x-api-key header is required")
	case s.script.key != "" && key != s.script.key:
		return refuse("authentication_error", "invalid x-api-key")
	}
	return nil
}

// judges are the rules, in the order they are applied.
func (s *Server) judges() []func(*request) *refusal {
	return []func(*request) *refusal{
		(*request).checkFields,
		(*request).checkLength,
		(*request).checkThinking,
		(*request).checkEffort,
		(*request).checkBetas,
		(*request).checkTools,
		(*request).checkToolChoice,
		(*request).checkSystem,
		(*request).checkRoles,
		(*request).checkBlocks,
		(*request).checkPairs,
		(*request).checkResults,
		s.checkImages,
		(*request).checkMarkers,
		(*request).checkContextManagement,
		(*request).applyEdits,
		(*request).checkContext,
	}
}
