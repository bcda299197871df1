package claude

import (
	"net/http"
	"slices"
	"strings"

	"github.com/deskhand/deskhand/model"
)

// feature is an optional part of the API that an endpoint may lack.
type feature string

const (
	clearing feature = "clearing of old results"
	summing  feature = "summing up of long histories"
	binding  feature = "dropping of thinking whose history was shortened"
)

// optionalPart is one of them: the header it is asked for with, the words with
// which an endpoint refuses it and no other, the field it shares with others,
// and how a model is kept from asking.
type optionalPart struct {
	feature feature
	beta    string
	words   []string
	field   string
	leave   func(*model.Info)
}

func optional() []optionalPart {
	const edits = "context_management"
	return []optionalPart{
		{summing, betaCompact, []string{betaCompact, "compact_20260112"}, edits, func(m *model.Info) { m.Compacts = false }},
		{clearing, betaClear, []string{betaClear, "clear_tool_uses", "clear_thinking"}, edits, func(m *model.Info) { m.Clears = false }},
		{binding, betaBinding, []string{betaBinding}, "block_binding", func(m *model.Info) { m.Binds = false }},
	}
}

// info returns what is known of a model here, without what the endpoint was
// found to lack.
func (c *Client) info(id string) (model.Info, error) {
	m, err := c.config.Models.Lookup(id)
	if err != nil {
		return m, err
	}
	m = m.At(c.config.Provider)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range optional() {
		if c.lacks[o.feature] {
			o.leave(&m)
		}
	}
	return m, nil
}

// lacking turns a refusal that is about an optional part into a failure that is
// worth another try: the part is left out from now on. Each part is left out
// once, so this ends.
func (c *Client) lacking(failed *model.Error, out outgoing) *model.Error {
	if failed.Status != http.StatusBadRequest {
		return failed
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var gone []string
	leave := func(words func(optionalPart) []string) {
		for _, o := range optional() {
			named := slices.ContainsFunc(words(o), func(w string) bool { return strings.Contains(failed.Message, w) })
			if named && !c.lacks[o.feature] && slices.Contains(out.betas, o.beta) {
				c.lacks[o.feature] = true
				gone = append(gone, string(o.feature))
			}
		}
	}
	if leave(func(o optionalPart) []string { return o.words }); len(gone) == 0 {
		leave(func(o optionalPart) []string { return []string{o.field} })
	}
	if len(gone) == 0 {
		return failed
	}
	changed := *failed
	changed.Retry = true
	changed.Message = "The endpoint does not offer the " + strings.Join(gone, " and the ") + "; it is left out from now on. " + failed.Message
	return &changed
}
