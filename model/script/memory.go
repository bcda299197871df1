package script

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
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
	if c.sum != "" {
		return c.sum
	}
	key := sha256.Sum256(c.raw)
	known, ok := c.known[key]
	if !ok {
		plain := canonical(c.raw)
		sum := sha256.Sum256([]byte(plain))
		known = digested{hex.EncodeToString(sum[:]), len(plain)}
		if c.known != nil {
			c.known[key] = known
		}
	}
	c.sum, c.length = known.sum, known.length
	return c.sum
}

// digested is the digest of a block and the length of what it is of. A block
// comes again with every request, so the server remembers them by their bytes.
type digested struct {
	sum    string
	length int
}

// maxDigested bounds what is remembered.
const maxDigested = 1 << 16

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

// promptCache is the prefixes that were written, by digest.
type promptCache map[string]cached

// cached is how long a prefix stays: its life begins anew with each use.
type cached struct {
	until time.Time
	life  time.Duration
}

func (c cached) used(now time.Time) cached { return cached{now.Add(c.life), c.life} }

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
// documented rules of prompt caching. Where the prompt was summed up first, that
// is a pass of its own: the counts beside it are those of the reply, which began
// with the summary in place of the messages.
func (p promptCache) count(r *request, a answer, now time.Time) counts {
	spans := r.spans()
	if a.summary == nil {
		return p.pass(r, spans, textTokens(len(a.contentJSON())), now)
	}
	summary := textTokens(len(a.summary.object.Bytes()))
	first := p.pass(r, spans, summary, now)
	first.Type = "compaction"
	setup := spans[:len(spans)-r.messageSpans()]
	begun := append(slices.Clone(setup), span{tokens: summary, prefix: digest("summary", a.id)})
	second := p.pass(r, begun, textTokens(len(a.contentJSON()))-summary, now)
	whole := second
	second.Type = "message"
	whole.Iterations = []counts{first, second}
	return whole
}

// messageSpans is how many spans the messages have.
func (r *request) messageSpans() int {
	n := 0
	for _, t := range r.turns[r.shownFrom:] {
		n += len(t.shown())
	}
	return n
}

// pass counts one pass of the model over spans.
func (p promptCache) pass(r *request, spans []span, output int, now time.Time) counts {
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
			if e, ok := p[spans[j].prefix]; ok && now.Before(e.until) {
				read = max(read, upTo[j])
				p[spans[j].prefix] = e.used(now)
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
	c.Output = output
	c.Tier = "standard"
	return c
}

func (p promptCache) keep(s span, now time.Time) {
	life := shortLived
	if s.marker.TTL == "1h" {
		life = longLived
	}
	if until := now.Add(life); until.After(p[s.prefix].until) {
		p[s.prefix] = cached{until, life}
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
	for _, t := range r.turns[r.shownFrom:] {
		for _, c := range t.shown() {
			marker := c.CacheControl
			for _, in := range c.inner {
				if in.CacheControl != nil {
					marker = in.CacheControl
				}
			}
			sum := c.digest()
			if c.cleared {
				sum = digest(clearedText, c.ToolUseID)
			}
			add(c.tokens(), t.role+sum, marker)
		}
	}
	return all
}

// setupTokens is how many tokens come before the messages.
func (r *request) setupTokens() int {
	n := 0
	for _, t := range r.entries {
		n += t.tokens()
	}
	system, _ := readBlocks(r.System) // judged before
	for _, c := range system {
		n += textTokens(len(c.Text))
	}
	return n
}

func textTokens(length int) int { return (length + bytesPerWord - 1) / bytesPerWord }

func (c *content) tokens() int {
	if c.cleared {
		return textTokens(len(clearedText))
	}
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
