package script

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/deskhand/deskhand/model"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// obj and list make JSON that tests can change.
type (
	obj  = map[string]any
	list = []any
)

// player is a server and the conversation a test has with it.
type player struct {
	t      testing.TB
	server *Server
	header http.Header
	body   obj
}

func newPlayer(t testing.TB, src string) *player {
	t.Helper()
	server, err := New([]byte(src), Options{Name: "test.txtar"})
	if err != nil {
		t.Fatal(err)
	}
	header := http.Header{}
	header.Set("anthropic-version", version2026)
	header.Set("Authorization", "Bearer sk-test")
	return &player{t: t, server: server, header: header, body: obj{
		"model": "claude-sonnet-5-5", "max_tokens": 1000,
		"system": list{obj{"type": "text", "text": "You operate a computer."}},
		"tools": list{
			obj{"type": "computer_toolset_20260801"},
			obj{"type": "bash_20250124", "name": "bash"},
			obj{"name": "note", "description": "notes", "input_schema": obj{"type": "object"}},
		},
		"messages": list{obj{"role": "user", "content": list{text("do it")}}},
	}}
}

func text(s string) obj { return obj{"type": "text", "text": s} }

// pixels is an image block of the given size, filled by paint.
func pixels(mediaType string, w, h int, paint func(*image.RGBA)) obj {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := range img.Pix {
		img.Pix[i] = 0xFF
	}
	if paint != nil {
		paint(img)
	}
	var b bytes.Buffer
	if mediaType == "image/jpeg" {
		_ = jpeg.Encode(&b, img, &jpeg.Options{Quality: 75})
	} else {
		_ = png.Encode(&b, img)
	}
	return obj{"type": "image", "source": obj{
		"type": "base64", "media_type": mediaType, "data": base64.StdEncoding.EncodeToString(b.Bytes()),
	}}
}

func fill(img *image.RGBA, r image.Rectangle, c color.RGBA) {
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			img.SetRGBA(x, y, c)
		}
	}
}

// send posts a body and returns status and answer.
func (p *player) send(body []byte) (int, obj) {
	p.t.Helper()
	req := httptest.NewRequest(http.MethodPost, "/v1/messages", bytes.NewReader(body))
	req.Header = p.header.Clone()
	rec := httptest.NewRecorder()
	p.server.ServeHTTP(rec, req)
	var answer obj
	if err := json.Unmarshal(rec.Body.Bytes(), &answer); err != nil {
		p.t.Fatalf("status %d: %v: %.300q", rec.Code, err, rec.Body)
	}
	return rec.Code, answer
}

func (p *player) post() (int, obj) {
	p.t.Helper()
	raw, err := json.Marshal(p.body)
	if err != nil {
		p.t.Fatal(err)
	}
	return p.send(raw)
}

// turn posts, appends the reply and returns its content.
func (p *player) turn() list {
	p.t.Helper()
	status, answer := p.post()
	if status != 200 {
		p.t.Fatalf("status %d: %v", status, answer)
	}
	content := answer["content"].(list)
	p.append("assistant", content)
	return content
}

func (p *player) append(role string, content any) {
	p.body["messages"] = append(p.body["messages"].(list), obj{"role": role, "content": content})
}

// results answers every call of a reply in order; others than the given get "ok".
func results(content list, given ...list) list {
	var out list
	for _, c := range content {
		call := c.(obj)
		if call["type"] != "tool_use" {
			continue
		}
		r := obj{"type": "tool_result", "tool_use_id": call["id"], "content": list{text("ok")}}
		if len(given) > len(out) {
			r["content"] = given[len(out)]
		}
		if call["toolset_name"] != nil {
			r["toolset_name"] = call["toolset_name"]
		}
		out = append(out, r)
	}
	return out
}

const twoTurns = `
-- model --
thinking: first look
Looking.
screenshot {}
bash {"command": "true"}
-- model --
Done.
`

// answered is a conversation up to the second request, which is right.
func answered(t *testing.T) *player {
	p := newPlayer(t, twoTurns)
	content := p.turn()
	p.append("user", results(content, list{pixels("image/png", 64, 48, nil)}))
	return p
}

func (p *player) message(i int) obj { return p.body["messages"].(list)[i].(obj) }
func (p *player) block(i, j int) obj {
	return p.message(i)["content"].(list)[j].(obj)
}
func (p *player) tool(i int) obj { return p.body["tools"].(list)[i].(obj) }
func (p *player) addTool(t obj)  { p.body["tools"] = append(p.body["tools"].(list), t) }

func (p *player) wantRefusal(kind, part string) {
	p.t.Helper()
	status, answer := p.post()
	e, _ := answer["error"].(obj)
	if status != typeStatus(kind) || answer["type"] != "error" || e["type"] != kind || !strings.Contains(fmt.Sprint(e["message"]), part) {
		p.t.Errorf("answered %d %v, want %d %s: %s", status, answer, typeStatus(kind), kind, part)
	}
	if answer["request_id"] == "" {
		p.t.Error("the error has no request_id")
	}
	if status != 200 && len(p.server.Problems()) == 0 {
		p.t.Error("the refusal is not among the problems")
	}
}

func TestGoodRequestsPass(t *testing.T) {
	t.Parallel()
	p := answered(t)
	content := p.turn()
	if content[0].(obj)["text"] != "Done." {
		t.Errorf("reply %v", content)
	}
	if problems := p.server.Problems(); len(problems) > 0 {
		t.Errorf("problems %q", problems)
	}
}

// TestRefusals changes one thing at a time in a request that passes.
func TestRefusals(t *testing.T) {
	t.Parallel()
	ephemeral := func() obj { return obj{"type": "ephemeral"} }
	opus := func(p *player) { p.body["model"] = "claude-opus-5-5" }
	const bad = "invalid_request_error"
	tests := []struct {
		name, kind, part string
		change           func(p *player)
	}{
		{"no version", bad, "anthropic-version: header is required", func(p *player) { p.header.Del("anthropic-version") }},
		{"odd version", bad, "not a valid version", func(p *player) { p.header.Set("anthropic-version", "2020-01-01") }},
		{"no key", "authentication_error", "x-api-key header is required", func(p *player) { p.header.Del("Authorization") }},
		{"unknown model", "not_found_error", "model: claude-9", func(p *player) { p.body["model"] = "claude-9" }},
		{"unknown beta", bad, "Unexpected value(s) `computer-use-1`", func(p *player) { p.header.Set("anthropic-beta", "computer-use-1") }},

		{"unknown field", bad, "colour: Extra inputs are not permitted", func(p *player) { p.body["colour"] = 1 }},
		{"field not played", bad, "does not play it", func(p *player) { p.body["container"] = "x" }},
		{"temperature", bad, "temperature: not supported", func(p *player) { p.body["temperature"] = 1 }},
		{"top_p", bad, "top_p: not supported", func(p *player) { p.body["top_p"] = 0.99 }},
		{"top_k", bad, "top_k: not supported", func(p *player) { p.body["top_k"] = 5 }},
		{"temperature of Haiku 5.5, old version", bad, "accepts only 1", func(p *player) {
			p.header.Set("anthropic-version", version2023)
			p.body["model"], p.body["temperature"] = "claude-haiku-5-5", 0.5
		}},
		{"no max_tokens", bad, "max_tokens: Field required", func(p *player) { delete(p.body, "max_tokens") }},
		{"max_tokens 0", bad, "max_tokens: Input should be greater", func(p *player) { p.body["max_tokens"] = 0 }},
		{"max_tokens too high", bad, "max_tokens: 128001 > 128000", func(p *player) { p.body["max_tokens"] = 128001 }},
		{"wrong type", bad, "max_tokens: Input should not be", func(p *player) { p.body["max_tokens"] = "many" }},
		{"no messages", bad, "at least one message", func(p *player) { p.body["messages"] = list{} }},

		{"thinking enabled", bad, `"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive"`, func(p *player) { p.body["thinking"] = obj{"type": "enabled", "budget_tokens": 2000} }},
		{"thinking disabled", bad, `"thinking.type.disabled" is not supported`, func(p *player) { opus(p); p.body["thinking"] = obj{"type": "disabled"} }},
		{"thinking adaptive", bad, "adaptive thinking is not supported on this model", func(p *player) {
			old(p, "claude-haiku-4-5")
			p.body["thinking"] = obj{"type": "adaptive"}
		}},
		{"thinking budget", bad, "budget_tokens: Input should be greater than or equal to 1024", func(p *player) {
			old(p, "claude-haiku-4-5")
			p.body["thinking"] = obj{"type": "enabled", "budget_tokens": 1000}
		}},
		{"thinking budget over max_tokens", bad, "`max_tokens` must be greater than `thinking.budget_tokens`", func(p *player) {
			old(p, "claude-haiku-4-5")
			p.body["thinking"] = obj{"type": "enabled", "budget_tokens": 2000}
		}},
		{"between_tools with display", bad, "thinking.between_tools.display: Extra inputs", func(p *player) { p.body["thinking"] = obj{"type": "between_tools", "display": "omitted"} }},
		{"between_tools with effort max", bad, `not supported with output_config.effort above "high"`, func(p *player) {
			p.body["thinking"], p.body["output_config"] = obj{"type": "between_tools"}, obj{"effort": "max"}
		}},
		{"thinking of an odd type", bad, "thinking.type: Input should be", func(p *player) { p.body["thinking"] = obj{"type": "deep"} }},
		{"display", bad, "display: Input should be", func(p *player) { p.body["thinking"] = obj{"type": "adaptive", "display": "all"} }},
		{"display updates without header", bad, "display: Input should be", func(p *player) { p.body["thinking"] = obj{"type": "adaptive", "display": "updates"} }},
		{"block_binding without header", bad, "block_binding: Extra inputs", func(p *player) { p.body["thinking"] = obj{"type": "adaptive", "block_binding": obj{}} }},
		{"effort", bad, "output_config.effort: Input should be 'low'", func(p *player) { p.body["output_config"] = obj{"effort": "huge"} }},
		{"effort of a model without", bad, "does not support the effort parameter", func(p *player) {
			old(p, "claude-haiku-4-5")
			p.body["output_config"] = obj{"effort": "low"}
		}},
		{"tool_choice any", bad, `tool_choice: type "tool" and "any" are not supported for this model.`, func(p *player) { p.body["tool_choice"] = obj{"type": "any"} }},
		{"tool_choice of a member", bad, "not found in provided tools", func(p *player) {
			p.body["model"], p.body["tool_choice"] = "claude-opus-5", obj{"type": "tool", "name": "left_click"}
		}},

		{"single tool for a new model", bad, "'claude-opus-5-5' does not support tool types: computer_20251124. Did you mean one of bash_20250124, browser_toolset_20260801, computer_toolset_20260801", func(p *player) { opus(p); p.body["tools"] = list{single("computer_20251124")} }},
		{"toolset for an old model", bad, "does not support tool types: computer_toolset_20260801", func(p *player) { p.body["model"] = "claude-opus-4-6" }},
		{"single tool without header", bad, "anthropic-beta: computer-use-2025-01-24", func(p *player) { old(p, "claude-haiku-4-5"); p.header.Del("anthropic-beta") }},
		{"single tool without size", bad, "display_width_px: Field required", func(p *player) {
			old(p, "claude-haiku-4-5")
			delete(p.tool(0), "display_width_px")
		}},
		{"zoom of the older single tool", bad, "enable_zoom: Extra inputs", func(p *player) { old(p, "claude-haiku-4-5"); p.tool(0)["enable_zoom"] = true }},
		{"bash of 2024", bad, "does not support tool types: bash_20241022. Did you mean one of bash_20250124", func(p *player) { p.body["tools"] = list{obj{"type": "bash_20241022", "name": "bash"}} }},
		{"editor of 2024", bad, "does not support tool types: text_editor_20241022", func(p *player) { p.addTool(obj{"type": "text_editor_20241022", "name": "str_replace_editor"}) }},
		{"editor of before Claude 4", bad, "does not support tool types: text_editor_20250124", func(p *player) { p.addTool(obj{"type": "text_editor_20250124", "name": "str_replace_editor"}) }},
		{"limit of the superseded editor", bad, "max_characters: Extra inputs", func(p *player) {
			p.addTool(obj{"type": "text_editor_20250429", "name": "str_replace_based_edit_tool", "max_characters": 9})
		}},
		{"unknown tool type", bad, "Input tag 'computer_2030' found using 'type'", func(p *player) { p.addTool(obj{"type": "computer_2030"}) }},
		{"toolset with a name", bad, "tools.0.computer_toolset_20260801.name: Extra inputs", func(p *player) { p.tool(0)["name"] = "computer" }},
		{"toolset with a size", bad, "display_width_px: Extra inputs", func(p *player) { p.tool(0)["display_width_px"] = 1280 }},
		{"toolset with enable_zoom", bad, "enable_zoom: Extra inputs", func(p *player) { p.tool(0)["enable_zoom"] = true }},
		{"toolset with strict", bad, "strict: Extra inputs", func(p *player) { p.tool(0)["strict"] = true }},
		{"toolset with examples", bad, "input_examples: Extra inputs", func(p *player) { p.tool(0)["input_examples"] = list{} }},
		{"toolset deferred as a whole", bad, "defer_loading: Extra inputs", func(p *player) { p.tool(0)["defer_loading"] = true }},
		{"callers", bad, "allowed_callers: Input should be ['direct']", func(p *player) { p.tool(0)["allowed_callers"] = list{"code_execution_20260521"} }},
		{"unknown member", bad, "configs.fly: Extra inputs", func(p *player) { p.tool(0)["configs"] = obj{"fly": obj{"enabled": true}} }},
		{"unknown member field", bad, "configs.zoom.speed: Extra inputs", func(p *player) { p.tool(0)["configs"] = obj{"zoom": obj{"speed": 1}} }},
		{"all members off", bad, "at least one member must be enabled", func(p *player) { p.tool(0)["configs"] = everyMember("enabled", false) }},
		{"some deferred", bad, "defer_loading must be the same", func(p *player) { p.tool(0)["configs"] = obj{"zoom": obj{"defer_loading": true}} }},
		{"all deferred, no search", bad, "need a tool search tool", func(p *player) { p.tool(0)["configs"] = everyMember("defer_loading", true) }},
		{"deferred with marker", bad, "cache_control: not supported together with deferred members", func(p *player) {
			p.tool(0)["configs"], p.tool(0)["cache_control"] = everyMember("defer_loading", true), ephemeral()
		}},
		{"fine-grained streaming", bad, fineGrained, func(p *player) { p.header.Set("anthropic-beta", fineGrained) }},
		{"two toolsets", bad, "Tool names must be unique", func(p *player) { p.addTool(obj{"type": "computer_toolset_20260801"}) }},
		{"a tool named computer", bad, "Tool names must be unique", func(p *player) { p.addTool(obj{"name": "computer", "input_schema": obj{"type": "object"}}) }},
		{"duplicate names", bad, "Tool names must be unique", func(p *player) { p.addTool(obj{"name": "bash", "input_schema": obj{"type": "object"}}) }},
		{"bash by another name", bad, "name: Input should be 'bash'", func(p *player) { p.tool(1)["name"] = "shell" }},
		{"custom tool without schema", bad, "input_schema.type: Field required", func(p *player) { delete(p.tool(2), "input_schema") }},
		{"custom tool with a bad name", bad, "custom.name: String should match", func(p *player) { p.tool(2)["name"] = "a b" }},
		{"empty system", bad, "text content blocks must be non-empty", func(p *player) { p.body["system"] = list{text("")} }},

		{"prefill", bad, "This model does not support assistant message prefill.", func(p *player) { p.append("assistant", list{text("I")}) }},
		{"assistant first", bad, `first message must use the "user" role`, func(p *player) {
			p.body["messages"] = append(list{obj{"role": "assistant", "content": "hi"}}, p.body["messages"].(list)...)
		}},
		{"two users", bad, `multiple "user" roles in a row`, func(p *player) { p.append("user", "more") }},
		{"odd role", bad, "role: Input should be", func(p *player) { p.append("tool", "x") }},
		{"empty content", bad, "must have non-empty content", func(p *player) { p.message(0)["content"] = list{} }},
		{"empty text", bad, "text content blocks must be non-empty", func(p *player) { p.block(0, 0)["text"] = "" }},
		{"unknown block", bad, "Input tag 'video'", func(p *player) { p.block(0, 0)["type"] = "video" }},
		{"unknown field of a block", bad, "messages.0.content.0.text.colour: Extra inputs", func(p *player) { p.block(0, 0)["colour"] = 1 }},
		{"unknown field in a result", bad, "tool_result.content.0.text.colour: Extra inputs", func(p *player) {
			p.block(2, 1)["content"] = list{obj{"type": "text", "text": "x", "colour": 1}}
		}},
		{"unanswered call", bad, "tool_use ids were found without tool_result blocks immediately after", func(p *player) {
			p.message(2)["content"] = p.message(2)["content"].(list)[:1]
		}},
		{"unknown result", bad, "unexpected `tool_use_id`", func(p *player) { p.block(2, 0)["tool_use_id"] = "toolu_1" }},
		{"two results", bad, "each tool_use must have a single result", func(p *player) {
			p.message(2)["content"] = append(p.message(2)["content"].(list), p.block(2, 0))
		}},
		{"text before results", bad, "must come before other content", func(p *player) {
			p.message(2)["content"] = append(list{text("hm")}, p.message(2)["content"].(list)...)
		}},
		{"toolset_name missing", bad, "toolset_name: Field required", func(p *player) { delete(p.block(2, 0), "toolset_name") }},
		{"toolset_name different", bad, "toolset_name: Input should be 'computer'", func(p *player) { p.block(2, 0)["toolset_name"] = "browser" }},
		{"toolset_name misplaced", bad, "is not a call of a toolset", func(p *player) { p.block(2, 1)["toolset_name"] = "computer" }},
		{"image in an error", bad, `all content must be type "text" if`, func(p *player) { p.block(2, 0)["is_error"] = true }},
		{"empty error", bad, "content cannot be empty if", func(p *player) { p.block(2, 1)["is_error"], p.block(2, 1)["content"] = true, list{} }},
		{"odd block in a result", bad, "Input tag 'document'", func(p *player) { p.block(2, 1)["content"] = list{obj{"type": "document"}} }},

		{"image over the tier", bad, "image dimensions 2604x14 exceed the maximum image size of a model named on this request and would be downsized to 2576x14", func(p *player) {
			p.block(2, 0)["content"] = list{pixels("image/png", 2604, 14, nil)}
		}},
		{"image of another type", bad, "appears to be a image/jpeg image", func(p *player) {
			img := pixels("image/jpeg", 100, 100, nil)
			img["source"].(obj)["media_type"] = "image/png"
			p.block(2, 0)["content"] = list{img}
		}},
		{"image of no type", bad, "media_type: Input should be", func(p *player) {
			img := pixels("image/png", 100, 100, nil)
			img["source"].(obj)["media_type"] = "image/bmp"
			p.block(2, 0)["content"] = list{img}
		}},
		{"image not base64", bad, "Could not process image", func(p *player) {
			p.block(2, 0)["content"] = list{obj{"type": "image", "source": obj{"type": "base64", "media_type": "image/png", "data": "!"}}}
		}},
		{"image cut off", bad, "Could not process image", func(p *player) {
			img := pixels("image/png", 100, 100, nil)
			img["source"].(obj)["data"] = img["source"].(obj)["data"].(string)[:80]
			p.block(2, 0)["content"] = list{img}
		}},
		{"image too heavy", bad, "image exceeds 10 MB maximum", func(p *player) {
			p.block(2, 0)["content"] = list{obj{"type": "image", "source": obj{"type": "base64", "media_type": "image/png", "data": strings.Repeat("A", maxImageBytes+4)}}}
		}},
		{"many images", bad, "many-image requests: 2000 pixels", func(p *player) {
			var images list
			for range 21 {
				images = append(images, pixels("image/png", 2016, 10, nil))
			}
			p.block(2, 0)["content"] = images
		}},

		{"five markers", bad, "A maximum of 4 blocks with cache_control may be provided. Found 5.", func(p *player) {
			p.tool(0)["cache_control"], p.tool(1)["cache_control"], p.tool(2)["cache_control"] = ephemeral(), ephemeral(), ephemeral()
			p.block(2, 0)["cache_control"], p.block(2, 1)["cache_control"] = ephemeral(), ephemeral()
		}},
		{"marker on thinking", bad, "thinking.cache_control: Extra inputs", func(p *player) { p.block(1, 0)["cache_control"] = ephemeral() }},
		{"marker of an odd type", bad, "cache_control.type: Input should be 'ephemeral'", func(p *player) { p.block(2, 1)["cache_control"] = obj{"type": "forever"} }},
		{"marker of an odd life", bad, "ttl: Input should be '5m' or '1h'", func(p *player) { p.block(2, 1)["cache_control"] = obj{"type": "ephemeral", "ttl": "2h"} }},
		{"long marker after a short one", bad, "must not come after a ttl='5m'", func(p *player) {
			p.tool(0)["cache_control"] = ephemeral()
			p.block(2, 1)["cache_control"] = obj{"type": "ephemeral", "ttl": "1h"}
		}},

		{"thinking changed", bad, "`thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified", func(p *player) { p.block(1, 0)["signature"] = "x" }},
		{"thinking dropped", bad, "is not the reply that was sent", func(p *player) { p.message(1)["content"] = p.message(1)["content"].(list)[1:] }},
		{"task changed", bad, "history differs from the request before at block 0", func(p *player) { p.block(0, 0)["text"] = "something else" }},
		{"system changed", bad, "system or tools differ", func(p *player) { p.body["system"] = "else" }},
		{"tools changed", bad, "system or tools differ", func(p *player) { p.tool(0)["configs"] = obj{"zoom": obj{"enabled": false}} }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := answered(t)
			tt.change(p)
			p.wantRefusal(tt.kind, tt.part)
		})
	}
}

// TestThinkingIsShownAsAsked compares what a thinking line becomes.
func TestThinkingIsShownAsAsked(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		thinking any
		model    string
		want     any // the thinking text; nil for no block
	}{
		{"the default leaves the words out", nil, "claude-sonnet-5-5", ""},
		{"omitted", obj{"type": "adaptive", "display": "omitted"}, "claude-sonnet-5-5", ""},
		{"summarized", obj{"type": "adaptive", "display": "summarized"}, "claude-sonnet-5-5", "first look"},
		{"disabled", obj{"type": "disabled"}, "claude-sonnet-5", nil},
		{"off unless asked for", nil, "claude-opus-4-8", nil},
	}
	for _, tt := range tests {
		p := newPlayer(t, twoTurns)
		if p.body["model"] = tt.model; tt.thinking != nil {
			p.body["thinking"] = tt.thinking
		}
		first := p.turn()[0].(obj)
		if got := first["thinking"]; got != tt.want || tt.want != nil && first["signature"] == "" {
			t.Errorf("%s: %v, want %v", tt.name, first, tt.want)
		}
	}
}

func single(kind string) obj {
	return obj{"type": kind, "name": "computer", "display_width_px": 1280, "display_height_px": 800}
}

// old makes a request that an older model takes.
func old(p *player, model string) {
	p.body["model"] = model
	p.header.Set("anthropic-beta", "computer-use-2025-01-24")
	p.body["tools"] = list{single("computer_20250124"), obj{"type": "bash_20250124", "name": "bash"}}
}

// TestToolsOf2024 has a model that only the caller's catalogue knows.
func TestToolsOf2024(t *testing.T) {
	t.Parallel()
	models, err := model.Catalogue{}.Merge("models.json", []byte(`[{"id": "claude-of-2024", "like": "claude-sonnet-4-5",
		"computer": ["computer_20241022"], "editor": "text_editor_20241022", "bash": "bash_20241022"}]`))
	if err != nil {
		t.Fatal(err)
	}
	p := newPlayer(t, "-- model --\nhi\n")
	p.server.models = models
	p.body["model"] = "claude-of-2024"
	for _, tool := range []obj{single("computer_20241022"), {"type": "bash_20241022", "name": "bash"}, {"type": "text_editor_20241022", "name": "str_replace_editor"}} {
		p.body["tools"] = list{tool}
		p.header.Del("anthropic-beta")
		p.wantRefusal("invalid_request_error", "needs the header anthropic-beta: computer-use-2024-10-22")
	}
	p.body["tools"] = list{single("computer_20250124")}
	p.wantRefusal("invalid_request_error", "'claude-of-2024' does not support tool types: computer_20250124")
	p.header.Set("anthropic-beta", "computer-use-2024-10-22")
	p.body["tools"] = list{single("computer_20241022"), obj{"type": "bash_20241022", "name": "bash"}, obj{"type": "text_editor_20241022", "name": "str_replace_editor"}}
	p.turn()
}

func everyMember(field string, value bool) obj {
	configs := obj{}
	for _, m := range computerMembers() {
		configs[m] = obj{field: value}
	}
	return configs
}

func TestWrongKey(t *testing.T) {
	t.Parallel()
	p := newPlayer(t, "-- options --\nkey sk-right\n-- model --\nhi\n")
	p.wantRefusal("authentication_error", "invalid x-api-key")
	p.header.Set("Authorization", "Bearer sk-right")
	p.turn()
	p = newPlayer(t, "-- options --\nkey sk-right\n-- model --\nhi\n")
	p.header.Del("Authorization")
	p.header.Set("x-api-key", "sk-right")
	p.turn()
}

func TestNotJSONAndTooLarge(t *testing.T) {
	t.Parallel()
	p := newPlayer(t, twoTurns)
	if status, answer := p.send([]byte("{")); status != 400 || !strings.Contains(fmt.Sprint(answer), "not valid JSON") {
		t.Errorf("%d %v", status, answer)
	}
	status, answer := p.send(bytes.Repeat([]byte(" "), maxRequest+1))
	if status != 413 || answer["error"].(obj)["type"] != "request_too_large" {
		t.Errorf("%d %v", status, answer)
	}
	req := httptest.NewRequest(http.MethodGet, "/v1/models", nil)
	rec := httptest.NewRecorder()
	p.server.ServeHTTP(rec, req)
	if rec.Code != 404 {
		t.Errorf("GET /v1/models: %d", rec.Code)
	}
}
