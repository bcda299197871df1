package script

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"github.com/deskhand/deskhand/model"
)

// canonical returns JSON with sorted members and no cache markers, so that two
// ways of writing the same value are equal.
func canonical(raw json.RawMessage) string {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil {
		return string(raw)
	}
	return string(mustJSON(unmarked(v)))
}

// unmarked takes the cache markers out of a block and the blocks inside it. It
// does not look into inputs, which may have such a member of their own.
func unmarked(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = unmarked(v[i])
		}
	case map[string]any:
		delete(v, "cache_control")
		if inner, ok := v["content"].([]any); ok {
			v["content"] = unmarked(inner)
		}
	}
	return v
}

// digests returns a digest of each block, in order.
func (t *turn) digests() string {
	var b strings.Builder
	for _, c := range t.blocks {
		b.WriteString(c.digest())
	}
	return b.String()
}

func (c *content) digest() string {
	if c.sum == "" {
		plain := canonical(c.raw)
		sum := sha256.Sum256([]byte(plain))
		c.sum, c.length = hex.EncodeToString(sum[:]), len(plain)
	}
	return c.sum
}

// digests returns a digest of each block of the history, with who said it.
func (r *request) digests() []string {
	var all []string
	for _, t := range r.turns {
		for _, c := range t.blocks {
			all = append(all, t.role+c.digest())
		}
	}
	return all
}

// setupDigest names what must not change within a conversation, besides its history.
func (r *request) setupDigest() string {
	parts := []string{canonical(r.System)}
	for _, t := range r.Tools {
		parts = append(parts, canonical(t))
	}
	return digest(parts...)
}

// promptCache is the prefixes that were written, by digest, with the time each
// is dropped.
type promptCache map[string]time.Time

const (
	lookback     = 20 // blocks before a marker at which a prefix may have been written
	shortLived   = 5 * time.Minute
	longLived    = time.Hour
	bytesPerWord = 4 // of a token
)

// span is one block of the prompt in the order the cache sees it.
type span struct {
	tokens int
	prefix string // digest of everything up to and with it
	marker *cacheControl
}

// count works out what a request and its answer cost in tokens, by the
// documented rules of prompt caching.
func (p promptCache) count(r *request, a answer, now time.Time) counts {
	spans := r.spans()
	total, read, marked := 0, 0, 0
	upTo := make([]int, len(spans))
	for i, s := range spans {
		total += s.tokens
		upTo[i] = total
	}
	var hour int
	for i, s := range spans {
		if s.marker == nil || upTo[i] < r.info.MinCache {
			continue
		}
		for j := i; j >= 0 && j > i-lookback; j-- {
			if until, ok := p[spans[j].prefix]; ok && now.Before(until) {
				read = max(read, upTo[j])
				break
			}
		}
		if s.marker.TTL == "1h" {
			hour = upTo[i]
		}
		marked = upTo[i]
	}
	for i, s := range spans {
		if s.marker != nil && upTo[i] >= r.info.MinCache {
			p.keep(s, now)
		}
	}
	var c counts
	c.CacheRead = read
	c.CacheWrite = max(0, marked-read)
	c.Lifetimes.Hour = max(0, min(hour, marked)-read)
	c.Lifetimes.Minutes = c.CacheWrite - c.Lifetimes.Hour
	c.Input = total - read - c.CacheWrite
	c.Output = textTokens(len(a.contentJSON()))
	c.Tier = "standard"
	return c
}

func (p promptCache) keep(s span, now time.Time) {
	life := shortLived
	if s.marker.TTL == "1h" {
		life = longLived
	}
	if until := now.Add(life); until.After(p[s.prefix]) {
		p[s.prefix] = until
	}
}

// spans returns tools, system and messages as the cache sees them.
func (r *request) spans() []span {
	var all []span
	prefix := r.info.ID
	add := func(tokens int, part string, marker *cacheControl) {
		prefix = digest(prefix, part)
		all = append(all, span{tokens, prefix, marker})
	}
	for _, t := range r.entries {
		add(t.tokens(), canonical(t.raw), t.CacheControl)
	}
	system, _ := readBlocks(r.System) // judged before
	for _, c := range system {
		add(textTokens(len(c.Text)), c.digest(), c.CacheControl)
	}
	prefix = digest(prefix, string(r.raw["thinking"]), string(r.raw["output_config"]), string(r.ToolChoice))
	for _, t := range r.turns {
		for _, c := range t.blocks {
			marker := c.CacheControl
			for _, in := range c.inner {
				if in.CacheControl != nil {
					marker = in.CacheControl
				}
			}
			add(c.tokens(), t.role+c.digest(), marker)
		}
	}
	return all
}

func textTokens(length int) int { return (length + bytesPerWord - 1) / bytesPerWord }

func (c *content) tokens() int {
	if c.Type == "image" {
		if c.facts == nil {
			return 0
		}
		return model.ImageTokens(c.facts.size)
	}
	if len(c.inner) == 0 {
		c.digest() // measures it without its marker
		return textTokens(c.length)
	}
	sum := 0
	for _, in := range c.inner {
		sum += in.tokens()
	}
	return sum
}
