package egress

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/net/publicsuffix"

	"github.com/deskhand/deskhand"
)

// Judge decides what may be reached. Methods may be called concurrently.
type Judge interface {
	// Decide says whether a connection to host at port may be made.
	Decide(host Host, port uint16) Decision
	// Listed reports whether addr, which is special, was listed by number.
	Listed(addr netip.Addr, port uint16) bool
	// Never reports whether addr at port must not be reached whatever is listed.
	Never(addr netip.Addr, port uint16) bool
}

// Decision is what a Judge says.
type Decision struct {
	Allowed bool
	Opaque  bool   // what is said need not be TLS or HTTP for that host
	Rule    string // the entry that allowed it, or the guard that refused
	Reason  string // why it was refused, in fixed words
}

// modelAPIs is where models are served, which is never reachable from inside: a
// key that somebody planted there would carry anything out. They are known by the
// end of the host's name and, where other services live there too, by a word
// before that: the Messages API, Amazon Bedrock and Claude Platform on AWS,
// Vertex AI and Claude on Google Cloud, Microsoft Foundry (their SDKs and
// documentation, November 2026).
var modelAPIs = []struct{ word, suffix string }{
	{"", "api.anthropic.com"},
	{"bedrock", ".amazonaws.com"},
	{"bedrock", ".api.aws"},
	{"aws-external-anthropic", ".api.aws"},
	{"aiplatform", ".googleapis.com"},
	{"claude", ".googleapis.com"},
	{"", ".services.ai.azure.com"},
}

// servesModels reports whether a host is one of modelAPIs. A name that only ends
// there by chance is refused as well: nobody but a model's user goes there.
func servesModels(host Host) bool {
	for _, api := range modelAPIs {
		if before, ok := strings.CutSuffix(host.name, api.suffix); ok && strings.Contains(before, api.word) {
			return true
		}
	}
	return false
}

// rule is one entry of a list.
type rule struct {
	text   string
	host   string       // exact, when set
	suffix string       // ".example.com" for "*.example.com"
	prefix netip.Prefix // addresses
	ports  []uint16
	opaque bool
}

// The ports of an entry that names none.
var webPorts = []uint16{80, 443}

// opaqueMark at the end of an entry.
const opaqueMark = ",opaque"

// parseRule reads HOST, HOST:PORT, *.HOST, an address, or NETWORK/BITS, and
// with a port also ",opaque". Invalid says what is wrong with it.
func parseRule(text string) (rule, error) {
	bad := func(why string) (rule, error) {
		return rule{}, deskhand.Errorf("", deskhand.Invalid, "%q cannot be allowed: %s", text, why)
	}
	r := rule{text: text}
	body, opaque := strings.CutSuffix(text, opaqueMark)
	r.opaque = opaque
	switch {
	case body == "*" || strings.HasPrefix(body, "*:"):
		return bad("it would be every host; name them, or write *.example.com for all below one")
	case strings.Contains(body, "://"):
		return bad("it is an address of a page; give the host alone, as in example.com or example.com:8080")
	case strings.Contains(body, "/"):
		return parseNetwork(r, body, bad)
	}
	name, port, ported := cutPort(body)
	r.ports = webPorts
	if ported {
		n, err := parsePort(port)
		if err != nil {
			return bad(err.Error())
		}
		r.ports = []uint16{n}
	} else if opaque {
		return bad("what is not TLS or HTTP needs a port, as in example.com:22" + opaqueMark)
	}
	below, wild := strings.CutPrefix(name, "*.")
	h, err := ParseHost(below)
	if err != nil {
		return bad(err.Error())
	}
	addr, isAddr := h.Addr()
	switch {
	case wild && (isAddr || tooWide(h.name)):
		return bad("anybody can have a name below " + h.name)
	case wild:
		r.suffix = "." + h.name
	case isAddr:
		r.prefix = netip.PrefixFrom(addr, addr.BitLen())
	default:
		r.host = h.name
	}
	return r, nil
}

// parseNetwork reads NETWORK/BITS: addresses that may be reached by number,
// and that listed names may lead to, at any port.
func parseNetwork(r rule, text string, bad func(string) (rule, error)) (rule, error) {
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil || p.Addr().Is4In6():
		return bad("it is neither a host nor a network such as 10.1.2.0/24")
	case p != p.Masked():
		return bad("the network is " + p.Masked().String())
	case p.Bits() < 8:
		return bad("it is too large a network")
	}
	r.prefix = p
	return r, nil
}

// tooWide reports whether strangers register names below this one.
func tooWide(name string) bool {
	public, listed := publicsuffix.PublicSuffix(name)
	return !strings.Contains(name, ".") || public == name && listed
}

// cutPort splits off a port, leaving IPv6 addresses whole.
func cutPort(text string) (host, port string, ok bool) {
	i := strings.LastIndexByte(text, ':')
	if i < 0 || strings.HasSuffix(text, "]") || strings.Count(text, ":") > 1 && !strings.HasPrefix(text, "[") {
		return text, "", false
	}
	return text[:i], text[i+1:], true
}

// covers reports whether r is about host at port.
func (r rule) covers(host Host, port uint16) bool {
	if len(r.ports) > 0 && !slices.Contains(r.ports, port) {
		return false
	}
	switch addr, isAddr := host.Addr(); {
	case r.prefix.IsValid():
		return isAddr && r.prefix.Contains(addr)
	case isAddr:
		return false
	case r.suffix != "":
		return strings.HasSuffix(host.name, r.suffix) // below, never the name itself
	}
	return r.host == host.name
}

// Rules is a list of what may be reached, to which can be added while a proxy
// uses it. Nothing on it means that nothing may. It implements Judge.
type Rules struct {
	never []rule

	mu    sync.RWMutex
	allow []rule
}

var _ Judge = (*Rules)(nil)

// NewRules returns the list of entries, none of which reaches a host in never
// (HOST or HOST:PORT; without a port: at any) or an API that serves models.
// Invalid: an entry makes no sense.
func NewRules(never []string, entries ...string) (*Rules, error) {
	r := &Rules{}
	for _, text := range never {
		n, err := parseRule(text)
		if err != nil {
			return nil, err
		}
		if _, _, ported := cutPort(text); !ported {
			n.ports = nil
		}
		r.never = append(r.never, n)
	}
	for _, text := range entries {
		if err := r.Allow(text); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// Allow adds an entry, as parseRule reads it. Invalid: it makes no sense.
// Denied: it is the model's own API.
func (r *Rules) Allow(text string) error {
	n, err := parseRule(text)
	if err != nil {
		return err
	}
	if h, err := ParseHost(n.host); err == nil {
		for _, port := range n.ports {
			if r.refuses(h, port) {
				return deskhand.Errorf("", deskhand.Denied, "%q cannot be allowed: %s", text, reasonModel)
			}
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.allow = append(r.allow, n)
	return nil
}

// AllowHost adds host at one port. Errors: as for Allow.
func (r *Rules) AllowHost(host Host, port uint16) error {
	return r.Allow(host.authority() + ":" + strconv.Itoa(int(port)))
}

// Decide implements Judge.
func (r *Rules) Decide(host Host, port uint16) Decision {
	if r.refuses(host, port) {
		return Decision{Rule: guardModel, Reason: reasonModel}
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	d := Decision{Rule: guardList, Reason: reasonUnlisted}
	for _, n := range r.allow {
		if n.covers(host, port) && !d.Opaque {
			d = Decision{Allowed: true, Rule: n.text, Opaque: n.opaque}
		}
	}
	return d
}

// Listed implements Judge. A metadata address must be listed by itself.
func (r *Rules) Listed(addr netip.Addr, port uint16) bool {
	addr = addr.Unmap()
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.ContainsFunc(r.allow, func(n rule) bool {
		return n.prefix.IsValid() && n.prefix.Contains(addr) && (len(n.ports) == 0 || slices.Contains(n.ports, port)) &&
			(n.prefix.IsSingleIP() || classOf(addr) != metadata)
	})
}

// Never implements Judge.
func (r *Rules) Never(addr netip.Addr, port uint16) bool {
	addr = addr.Unmap()
	return r.refuses(Host{addr.String(), addr}, port)
}

func (r *Rules) refuses(host Host, port uint16) bool {
	return servesModels(host) || slices.ContainsFunc(r.never, func(n rule) bool { return n.covers(host, port) })
}
