package policy

import (
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/input"
	"github.com/deskhand/deskhand/internal/plaintext"
)

// deed is a call, read: its parts, at least one.
type deed struct {
	parts    []Part
	reshapes bool
}

func one(p Part) deed { return deed{parts: []Part{p}} }

// fields reads texts of a call's input; one that is absent or no text is "".
type fields struct {
	o *input.Object
}

func (f fields) text(name string) string {
	v := f.o.Peek(name)
	if v == nil {
		return ""
	}
	s, problem := input.String(v)
	if problem != "" {
		return ""
	}
	return s
}

// toolset names what reads the calls of a tool.
var toolsets = map[string]func(call deskhand.Call, f fields, at Context, w *Words) deed{
	"bash": bashCall, "memory": memoryCall, "skill": skillCall,
	"str_replace_based_edit_tool": editorCall, "str_replace_editor": editorCall,
	"computer": computerCall, "browser": browserCall,
}

// read reads a call of any tool. A tool nobody knows acts.
func read(call deskhand.Call, at Context, w *Words) deed {
	f := fields{input.Read(call.Input)}
	name := call.Toolset
	if name == "" {
		name = call.Name
	}
	reader, ok := toolsets[name]
	if !ok || call.Toolset != "" && name != "computer" && name != "browser" {
		return customCall(call)
	}
	if f.o.Broken() || f.o.Refused() {
		return one(Part{Text: plaintext.Short(call.Name, 80), Class: Unknown, Why: "its input cannot be read", target: target{tool: name, veiled: true}})
	}
	return reader(call, f, at, w)
}

// customCall is a tool of a connector, "server.tool" or "mcp__server__tool", or
// one that a builder added.
func customCall(call deskhand.Call) deed {
	name, tool := call.Name, "tool"
	if rest, ok := strings.CutPrefix(name, "mcp__"); ok {
		server, member, _ := strings.Cut(rest, "__")
		name, tool = server+"."+member, "connector"
	} else if strings.Contains(name, ".") {
		tool = "connector"
	}
	if call.Toolset != "" {
		name, tool = call.Toolset+"."+call.Name, "connector"
	}
	return one(Part{Text: plaintext.Short(name, 80), Class: Unknown, Why: "nothing is known of this tool", target: target{tool: tool, name: name}})
}

func bashCall(_ deskhand.Call, f fields, at Context, _ *Words) deed {
	line := f.text("command")
	if line == "" {
		return one(Part{Text: "a new shell", Class: Changes, target: target{tool: "bash"}})
	}
	s := readShell(line)
	if at.Reshaped {
		for i := range s.parts {
			if p := &s.parts[i]; p.tool == "bash" {
				p.Class, p.Why, p.whole = p.Class.Worse(Runs), "an earlier command may have given this one another meaning", false
			}
		}
	}
	if s.moves() { // paths are not where Dir says
		for i := range s.parts {
			s.parts[i].strict = s.parts[i].strict && rooted(s.parts[i].path)
			s.parts[i].whole = s.parts[i].whole && !slices.ContainsFunc(s.parts[i].files, func(f file) bool { return !rooted(f.path) })
		}
	}
	return deed{s.parts, s.reshapes}
}

func rooted(p string) bool { return strings.HasPrefix(p, "/") || strings.HasPrefix(p, "~/") }

// moves reports whether the line changes its directory.
func (s *scan) moves() bool {
	return slices.ContainsFunc(s.parts, func(p Part) bool {
		return len(p.words) > 0 && (p.words[0].text == "cd" || p.words[0].text == "pushd" || p.words[0].text == "popd") || p.veiled
	})
}

func skillCall(deskhand.Call, fields, Context, *Words) deed {
	return one(Part{Text: "read a skill", Class: Looks, target: target{tool: "tool", name: "skill"}})
}

var memoryClass = map[string]Class{"view": Looks, "create": Changes, "str_replace": Changes, "insert": Changes, "rename": Changes, "delete": Deletes}

func memoryCall(_ deskhand.Call, f fields, _ Context, _ *Words) deed {
	command := f.text("command")
	return one(Part{Text: "memory " + plaintext.Short(command, 20), Class: memoryClass[command].orUnknown(), target: target{tool: "memory", name: command}})
}

func (c Class) orUnknown() Class {
	if c == "" {
		return Unknown
	}
	return c
}

func editorCall(_ deskhand.Call, f fields, _ Context, _ *Words) deed {
	command, name := f.text("command"), f.text("path")
	p := Part{Text: plaintext.Short(command+" "+name, 200), target: target{tool: "files", op: "write", path: name, strict: name != ""}}
	switch command {
	case "view":
		p.Class, p.op = Looks, "read"
	case "create", "str_replace", "insert", "undo_edit":
		p.Class, p.Why = writes(path.Clean(name))
		if strings.HasPrefix(name, "~") {
			p.strict = false // the editor knows no ~
		}
	default:
		p.Class, p.Why = Unknown, "it is no command of the editor"
	}
	return one(p)
}

// member is what a member of a toolset does to where it points.
type member int

const (
	acting  member = iota // nothing is known: it acts
	looks                 // it changes nothing
	moves                 // it moves the pointer or the page
	clicks                // it acts on the element under the point
	types                 // it types text at the focus
	presses               // it presses keys at the focus
	visits                // it goes to an address
	runsJS                // it runs a script in the page
	sends                 // it hands over a file
)

var computerMembers = map[string]member{
	"screenshot": looks, "zoom": looks, "cursor_position": looks, "wait": looks,
	"mouse_move": moves, "scroll": moves,
	"left_click": clicks, "right_click": clicks, "middle_click": clicks, "double_click": clicks, "triple_click": clicks,
	"left_click_drag": clicks, "left_mouse_down": clicks, "left_mouse_up": clicks,
	"type": types, "key": presses, "hold_key": presses,
}

var browserMembers = map[string]member{
	"screenshot": looks, "zoom": looks, "wait": looks, "read_page": looks, "find": looks, "get_page_text": looks, "list_tabs": looks,
	"read_console": looks, "read_network": looks,
	"mouse_move": moves, "hover": moves, "scroll": moves, "scroll_to": moves, "switch_tab": moves,
	"left_click": clicks, "right_click": clicks, "middle_click": clicks, "double_click": clicks, "triple_click": clicks,
	"left_click_drag": clicks, "left_mouse_down": clicks, "left_mouse_up": clicks, "new_tab": moves, "close_tab": clicks,
	"type": types, "key": presses, "hold_key": presses, "form_input": types,
	"navigate": visits, "javascript_exec": runsJS, "file_upload": sends,
}

func computerCall(call deskhand.Call, f fields, at Context, w *Words) deed {
	name := call.Name
	if call.Toolset == "" { // the older tools have one name and an action
		name = f.text("action")
	}
	p := Part{Text: plaintext.Short(name, 40), target: target{tool: "computer", app: at.Window.Class, host: hostOf(at.URL)}}
	return screenPart(p, computerMembers[name], f, at, w)
}

func browserCall(call deskhand.Call, f fields, at Context, w *Words) deed {
	p := Part{Text: plaintext.Short(call.Name, 40), target: target{tool: "browser", host: hostOf(at.URL), port: portOf(at.URL)}}
	return screenPart(p, browserMembers[call.Name], f, at, w)
}

// screenPart judges one member by what it points at.
func screenPart(p Part, m member, f fields, at Context, w *Words) deed {
	switch m {
	case looks, moves:
		p.Class = Looks
	case clicks:
		p.Class, p.Why = click(at, w)
	case types:
		return typed(p, f.text("text")+f.text("value"), at, w)
	case presses:
		p.Class, p.Why = pressed(f.text("text"), at, w)
		p.global = leaves(f.text("text"))
	case visits:
		visit(&p, f.text("url"))
	case runsJS:
		p.Class, p.Why = Runs, "it runs a script in the page"
	case sends:
		p.Class, p.Why = Sends, "it hands a file to the page"
	default:
		p.Class, p.Why = Unknown, "it is no action that is known"
	}
	return one(p)
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
}

func portOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	if u.Port() != "" {
		return u.Port()
	}
	return map[string]string{"http": "80", "https": "443"}[u.Scheme]
}

// visit judges going to an address, which decides instead of the page in front.
func visit(p *Part, address string) {
	p.Class, p.Why = Reaches, "it goes to "+plaintext.Short(address, 80)
	switch address {
	case "back", "forward", "reload":
		p.Class = Changes
		return
	}
	lower := strings.ToLower(strings.TrimSpace(address))
	scheme, _, found := strings.Cut(lower, ":")
	if !found || strings.Contains(scheme, ".") || strings.HasPrefix(lower, "localhost:") {
		lower, scheme = "https://"+lower, "https"
	}
	p.host, p.port = hostOf(lower), portOf(lower)
	u, err := url.Parse(lower)
	switch {
	case strings.ContainsFunc(address, unseen) || err != nil || strings.Contains(lower, `\`):
		p.Class, p.Why, p.host = Unknown, "its address cannot be read", ""
	case scheme == "about" && lower == "about:blank":
		p.Class = Changes
	case scheme != "http" && scheme != "https":
		p.Class, p.Why, p.host = Runs, "its address is no web page", ""
	case u.User != nil:
		p.Class, p.Why, p.host = Sends, "its address holds a name or a password", ""
	}
}
