package script

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"slices"
	"strings"

	"github.com/deskhand/deskhand/internal/rawjson"
)

// sight is what a model can see in a request: its screenshots.
type sight struct {
	request *request
	decoded map[string]*image.RGBA // newest screenshot by toolset
}

// computerMembers are the members of the computer toolset.
func computerMembers() []string {
	return []string{
		"screenshot", "zoom", "left_click", "right_click", "middle_click", "double_click", "triple_click",
		"left_click_drag", "mouse_move", "left_mouse_down", "left_mouse_up", "cursor_position",
		"scroll", "type", "key", "hold_key", "wait",
	}
}

// browserMembers are the members of the browser toolset.
func browserMembers() []string {
	return []string{
		"navigate", "screenshot", "zoom", "left_click", "right_click", "middle_click", "double_click", "triple_click",
		"hover", "left_click_drag", "left_mouse_down", "left_mouse_up", "mouse_move", "scroll", "scroll_to",
		"type", "key", "hold_key", "wait", "read_page", "find", "get_page_text", "form_input", "file_upload",
		"read_console", "read_network", "javascript_exec", "new_tab", "list_tabs", "switch_tab", "close_tab",
	}
}

// surface returns the toolset a call belongs to: the one it names, else the
// first of the request's that has such a member, else none.
func (s *sight) surface(c call) string {
	if c.toolset != "" {
		return c.toolset
	}
	for _, family := range []struct {
		name    string
		members []string
	}{{"computer", computerMembers()}, {"browser", browserMembers()}} {
		if s.request.has(family.name) && slices.Contains(family.members, c.name) {
			return family.name
		}
	}
	return ""
}

// call makes the tool_use block of a call.
func (s *sight) call(c call, id string) (sent, error) {
	toolset := s.surface(c)
	input, err := fillPlaces(c.input, func(p place) ([]byte, error) {
		img, err := s.newest(toolset)
		if err != nil {
			return nil, err
		}
		if img == nil {
			return nil, p.what.missing()
		}
		r, found := p.what.find(img)
		if !found {
			return nil, p.what.missing()
		}
		return []byte(p.fill(p.what, r)), nil
	})
	if err != nil {
		return sent{}, err
	}
	name := c.name
	if toolset == "computer" && s.request.single() {
		toolset = ""
		if input, err = withAction(input, name); err != nil {
			return sent{}, err
		}
		name = "computer"
	}
	o := object("type", "tool_use", "id", id, "name", name)
	if toolset != "" {
		o.Set("toolset_name", rawjson.String(toolset))
	}
	o.Set("input", input)
	o.Set("caller", json.RawMessage(`{"type":"direct"}`))
	return sent{object: o, inputText: string(input)}, nil
}

// withAction puts a member's name into the input, as single computer tools have it.
func withAction(input []byte, name string) ([]byte, error) {
	old, err := rawjson.Parse(input)
	if err != nil {
		return nil, err
	}
	o := object("action", name)
	for _, key := range old.Keys() {
		o.Set(key, old.Get(key))
	}
	return o.Bytes(), nil
}

// look makes the calls of a model that waits for the screen to change.
func (s *sight) look(idPrefix string) ([]sent, error) {
	screenshot := call{name: "screenshot", input: json.RawMessage(`{}`)}
	if s.surface(screenshot) == "" {
		return nil, errors.New("the request has no tool that takes screenshots")
	}
	calls := []call{{name: "wait", input: json.RawMessage(`{"duration":1}`)}, screenshot}
	if img, _ := s.newest(s.surface(screenshot)); img == nil {
		calls = calls[1:]
	}
	var out []sent
	for i, c := range calls {
		one, err := s.call(c, fmt.Sprintf("%s_%d", idPrefix, i))
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

// newest returns the newest whole screenshot of a toolset, nil when there is
// none. Zooms do not count. An empty toolset means the first one there is.
func (s *sight) newest(toolset string) (*image.RGBA, error) {
	if toolset == "" {
		toolset = s.surface(call{name: "screenshot"})
	}
	if img, ok := s.decoded[toolset]; ok {
		return img, nil
	}
	found := s.request.newestImage(toolset)
	if found == nil {
		return nil, nil
	}
	data, err := base64.StdEncoding.AppendDecode(nil, s.request.data(found.Source))
	if err != nil {
		return nil, err
	}
	img, _, err := decode(data)
	if err != nil {
		return nil, err
	}
	if s.decoded == nil {
		s.decoded = map[string]*image.RGBA{}
	}
	s.decoded[toolset] = img
	return img, nil
}

func (r *request) newestImage(toolset string) *content {
	calls := map[string]*content{}
	var newest *content
	for _, t := range r.turns {
		for _, b := range t.blocks {
			if b.Type == "tool_use" {
				calls[b.ID] = b
			}
			c := calls[b.ToolUseID]
			if b.Type != "tool_result" || c == nil || c.zooms() || !c.of(toolset) {
				continue
			}
			for _, in := range b.inner {
				if in.Type == "image" && in.Source != nil {
					newest = in
				}
			}
		}
	}
	return newest
}

func (c *content) zooms() bool {
	var input struct {
		Action string `json:"action"`
	}
	_ = json.Unmarshal(c.Input, &input) // an input of another shape has no action
	return c.Name == "zoom" || c.Name == "computer" && input.Action == "zoom"
}

func (c *content) of(toolset string) bool {
	return c.toolset() == toolset || toolset == "computer" && c.ToolsetName == nil && c.Name == "computer"
}

// has reports whether the request declares a toolset, or a single tool that stands for it.
func (r *request) has(family string) bool {
	return slices.ContainsFunc(r.entries, func(t toolEntry) bool {
		return strings.HasPrefix(t.Type, family+"_")
	})
}

// single reports whether the request's computer tool is one with an action field.
func (r *request) single() bool {
	return slices.ContainsFunc(r.entries, func(t toolEntry) bool { return t.Name == "computer" && strings.HasPrefix(t.Type, "computer_2") })
}
