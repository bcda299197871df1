package model

import "github.com/deskhand/deskhand"

// bytesPerToken is the rule of thumb for text, on the low side for prose and
// near the truth for JSON and code.
const bytesPerToken = 4

// Estimate returns about what the next request of a conversation costs in USD,
// before it is sent. last is the usage of the request before it, added is what
// was said since in tokens (see Message.Tokens), output is how many tokens the
// reply may have. It takes the conversation so far to be cached, as it is when
// requests follow each other within five minutes, and what is new to be written
// to the cache. For the first request, or to price a cache that has lapsed, pass
// no usage and the whole prompt as added.
//
// It is local and costs nothing. The part from last is the API's own count; the
// rest is text at four bytes a token, off by a third at most for English and by
// more for other scripts, and images by the API's formula, which is exact.
func (m Info) Estimate(last deskhand.Usage, added, output int64) float64 {
	return m.Cost(deskhand.Usage{
		CacheRead:  last.Input + last.CacheRead + last.CacheWrite,
		CacheWrite: last.Output + added,
		Output:     output,
	})
}

// Tokens returns about how many tokens the request's prompt has.
func (r Request) Tokens() int64 {
	n := textTokens(len(r.System))
	for _, entry := range r.Tools {
		n += max(textTokens(len(entry)), entryTokens)
	}
	for _, m := range r.Messages {
		n += m.Tokens()
	}
	return n
}

// entryTokens is about what a tool of the API's own adds, whose entry is short.
// The computer toolset adds more (4,600), bash less (325).
const entryTokens = 1500

// Tokens returns about how many tokens the message has.
func (m Message) Tokens() int64 {
	n := textTokens(len(m.Raw))
	for _, b := range m.Blocks {
		n += b.Tokens()
	}
	return n
}

// Tokens returns about how many tokens the block has.
func (b Block) Tokens() int64 {
	n := textTokens(len(b.Text))
	if b.Image != nil {
		n += int64(ImageTokens(b.Image.Size))
	}
	for _, c := range b.Result.Content {
		if c.Image != nil {
			n += int64(ImageTokens(c.Image.Size))
		}
		n += textTokens(len(c.Text))
	}
	return n
}

func textTokens(length int) int64 { return int64(length+bytesPerToken-1) / bytesPerToken }
