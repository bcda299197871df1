package model

import "slices"

// The two tiers of images.
func highTier() Limits     { return Limits{MaxEdge: 2576, MaxTokens: 4784} }
func standardTier() Limits { return Limits{MaxEdge: 1568, MaxTokens: 1568} }

// adaptive is the thinking field for models that decide for themselves how long
// to think. Newer models put what they would say between calls into thinking
// blocks; summarized makes it readable for those who watch.
const adaptive = `{"type":"adaptive","display":"summarized"}`

// budgeted is the thinking field for models that think only with a budget of
// tokens: enough to plan a step, an eighth of what a reply may have.
const budgeted = `{"type":"enabled","budget_tokens":2048}`

// catalogue returns the table of models, state of 21 November 2026. One row
// per model; what a generation has in common is in its function.
//
// Not in it: claude-mythos-preview, deprecated, with no computer tool known.
func catalogue() []Info {
	return []Info{
		//       id                   USD per million in, out   default effort
		preserved("claude-fable-5-2", usd(8, 40), "high", newestOnly, always),
		preserved("claude-mythos-5-2", usd(8, 40), "high", newestOnly, always),
		preserved("claude-opus-5-5", usd(4, 20), "medium", newestOnly, always),
		preserved("claude-sonnet-5-5", usd(2, 10), "high", newestOnly, between),
		preserved("claude-haiku-5-5", haikuPrices, "medium", newestOnly, cappedOptional),
		preserved("claude-fable-5-1", usd(10, 50), "high", eitherTool, always),
		preserved("claude-mythos-5-1", usd(10, 50), "high", eitherTool, always),
		current("claude-fable-5", usd(10, 50), "high", eitherTool, always, 512),
		current("claude-mythos-5", usd(10, 50), "high", eitherTool, always, 512),
		current("claude-opus-5", usd(5, 25), "high", eitherTool, cappedOptional, 512),
		current("claude-sonnet-5", usd(2, 10), "high", eitherTool, optional, 1024),
		current("claude-opus-4-8", usd(5, 25), "high", eitherTool, offUnlessAsked, 1024),
		current("claude-opus-4-7", usd(5, 25), "high", single2025, offUnlessAsked, 2048),
		standard(current("claude-opus-4-6", usd(5, 25), "high", single2025, withBudget, 4096)),
		standard(current("claude-sonnet-4-6", usd(3, 15), "high", single2025, withBudget, 1024)),
		small("claude-opus-4-5", "20251101", "", usd(5, 25), Computer20251124, 4096),
		small("claude-sonnet-4-5", "20250929", "2026-11-30", usd(3, 15), Computer20250124, 1024),
		small("claude-haiku-4-5", "20251001", "", usd(1, 5), Computer20250124, 4096),
	}
}

// Which computer tools a generation accepts on the Claude API.
func newestOnly() []string { return []string{ComputerToolset} }
func eitherTool() []string { return []string{ComputerToolset, Computer20251124} }
func single2025() []string { return []string{Computer20251124} }

// Thinking rules.
func always() Thinking {
	return Thinking{Send: adaptive, Accepts: []string{"adaptive"}, Default: "on"}
}
func between() Thinking {
	return Thinking{Send: adaptive, Accepts: []string{"adaptive", "between_tools"}, Capped: []string{"between_tools"}, Default: "on"}
}
func optional() Thinking {
	return Thinking{Send: adaptive, Accepts: []string{"adaptive", "disabled"}, Default: "on"}
}
func cappedOptional() Thinking {
	return Thinking{Send: adaptive, Accepts: []string{"adaptive", "disabled"}, Capped: []string{"disabled"}, Default: "on"}
}
func offUnlessAsked() Thinking {
	return Thinking{Send: adaptive, Accepts: []string{"adaptive", "disabled"}, Default: "off"}
}
func withBudget() Thinking {
	return Thinking{Send: adaptive, Accepts: []string{"adaptive", "disabled", "enabled"}, Default: "off"}
}

func usd(in, out float64) func() []Price {
	return func() []Price { return []Price{{Input: in, Output: out}} }
}

func haikuPrices() []Price {
	return []Price{{UpTo: 100_000, Input: 0.10, Output: 0.50}, {Input: 0.50, Output: 2.50}}
}

// current is a row of a model with a context of a million tokens.
func current(id string, prices func() []Price, effort string, tools func() []string, think func() Thinking, minCache int) Info {
	return Info{
		ID: id, Computer: tools(), Editor: "text_editor_20250728", Bash: "bash_20250124",
		Limits: highTier(), Prices: prices(), Context: 1_000_000, MaxOutput: 128_000, MaxTokens: 32_000,
		MinCache: minCache, Thinking: think(),
		Forced: slices.Contains(think().Accepts, "disabled"), // a model that must think cannot be made to call
		Effort: effort, Efforts: []string{"low", "medium", "high", "xhigh", "max"},
		Bounds: boundsOf(1_000_000), Clears: true, Compacts: true,
	}
}

// preserved is a current model that checks what its thinking was bound to.
func preserved(id string, prices func() []Price, effort string, tools func() []string, think func() Thinking) Info {
	m := current(id, prices, effort, tools, think, 512)
	m.Preserved, m.Binds = true, true
	return m
}

// standard gives a row the smaller images of models before Claude 4.7.
func standard(m Info) Info {
	m.Limits = standardTier()
	return m
}

// small is a row of the 4.5 generation: thinking only with a token budget, and no
// effort.
func small(id, date, end string, prices func() []Price, tool string, minCache int) Info {
	return Info{
		ID: id, Dated: id + "-" + date, EndOfLife: end,
		Computer: []string{tool}, Editor: "text_editor_20250728", Bash: "bash_20250124",
		Limits: standardTier(), Prices: prices(), Context: 200_000, MaxOutput: 64_000, MaxTokens: 16_000,
		MinCache: minCache, Thinking: Thinking{Send: budgeted, Accepts: []string{"enabled", "disabled"}, Default: "off"}, Forced: true,
		Bounds: boundsOf(200_000), Clears: true,
	}
}

// boundsOf returns the bounds of a request to a model with a context of so many
// tokens on the Claude API.
func boundsOf(context int) Bounds {
	b := Bounds{Images: 600, Body: 32 << 20, ImageBytes: 10 << 20}
	if context <= 200_000 {
		b.Images = 100
	}
	return b
}
