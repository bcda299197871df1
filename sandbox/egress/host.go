package egress

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// Host is a host in its one canonical form: a name in lower case, in ASCII,
// without a dot at the end, or an IP address. The zero value is no host.
type Host struct {
	name string
	addr netip.Addr // valid when the host is an address
}

// String returns the canonical form, without brackets.
func (h Host) String() string { return h.name }

// Addr returns the address, when the host is one.
func (h Host) Addr() (netip.Addr, bool) { return h.addr, h.addr.IsValid() }

// authority returns the host as it stands in a URL.
func (h Host) authority() string {
	if h.addr.Is6() {
		return "[" + h.name + "]"
	}
	return h.name
}

const (
	maxName  = 253 // bytes of a name
	maxLabel = 63
)

var (
	errHost   = errors.New("it is not a host name or an IP address")
	errNumber = errors.New("it is a number that programs read in different ways; write an IPv4 address as four decimal numbers")
	errScope  = errors.New("it names a network interface")
)

// ParseHost returns the canonical form of a host as programs and people write
// it; an IPv6 address may stand in brackets. Whatever different programs could
// read in different ways is refused: addresses in octal, hexadecimal or with
// fewer than four parts, scopes, escapes, blanks and control characters.
func ParseHost(text string) (Host, error) {
	if inner, ok := strings.CutPrefix(text, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		if !ok || !strings.Contains(inner, ":") {
			return Host{}, errHost
		}
		return parseAddress(inner)
	}
	if strings.Contains(text, ":") {
		return parseAddress(text)
	}
	name, err := ascii(text)
	if err != nil {
		return Host{}, err
	}
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	labels := strings.Split(name, ".")
	if len(name) > maxName {
		return Host{}, errHost
	}
	for _, label := range labels {
		if !validLabel(label) {
			return Host{}, errHost
		}
	}
	if numeric(labels[len(labels)-1]) {
		addr, err := netip.ParseAddr(name) // strict: four decimal numbers without leading zeros
		if err != nil {
			return Host{}, errNumber
		}
		return Host{name, addr}, nil
	}
	return Host{name: name}, nil
}

// parseAddress reads an IPv6 address. One that holds an IPv4 address is that.
func parseAddress(text string) (Host, error) {
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return Host{}, errHost
	}
	if addr.Zone() != "" {
		return Host{}, errScope
	}
	addr = addr.Unmap()
	return Host{addr.String(), addr}, nil
}

// names maps as browsers do. What is ASCII already is checked by validLabel,
// which also lets underscores pass.
var names = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.Transitional(false), idna.StrictDomainName(true))

// ascii returns text with every label in ASCII. A label that is in ASCII
// because somebody else converted it must convert back to itself.
func ascii(text string) (string, error) {
	plain := true
	for i := range len(text) {
		plain = plain && text[i] < utf8.RuneSelf
	}
	if plain && !strings.Contains(strings.ToLower(text), "xn--") {
		return text, nil
	}
	if !utf8.ValidString(text) {
		return "", errHost
	}
	out, err := names.ToASCII(text)
	if err != nil {
		return "", errHost
	}
	if plain && !strings.EqualFold(out, text) {
		return "", errHost
	}
	return out, nil
}

// validLabel reports whether label is of letters, digits, '-' and '_', with at
// least one letter or digit, and no '-' at either end.
func validLabel(label string) bool {
	if label == "" || len(label) > maxLabel || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	word := false
	for i := range len(label) {
		switch c := label[i]; {
		case 'a' <= c && c <= 'z' || '0' <= c && c <= '9':
			word = true
		case c != '-' && c != '_':
			return false
		}
	}
	return word
}

// numeric reports whether some C library or browser could take a name that
// ends in label for an IPv4 address.
func numeric(label string) bool {
	if strings.Trim(label, "0123456789") == "" {
		return true
	}
	hex, ok := strings.CutPrefix(label, "0x")
	return ok && strings.Trim(hex, "0123456789abcdef") == ""
}

// parseAuthority reads HOST:PORT or HOST. A port that is missing is byDefault;
// with byDefault 0 it must be there.
func parseAuthority(text string, byDefault uint16) (Host, uint16, error) {
	host, port := text, ""
	if i := strings.LastIndexByte(text, ':'); i >= 0 && !strings.HasSuffix(text, "]") {
		host, port = text[:i], text[i+1:]
		if strings.Contains(host, ":") && !strings.HasPrefix(host, "[") { // an IPv6 address needs brackets here
			return Host{}, 0, errHost
		}
	} else if byDefault == 0 {
		return Host{}, 0, errPort
	} else {
		port = strconv.Itoa(int(byDefault))
	}
	h, err := ParseHost(host)
	if err != nil {
		return Host{}, 0, err
	}
	n, err := parsePort(port)
	return h, n, err
}

var errPort = errors.New("its port is not a number from 1 to 65535")

// parsePort reads a port in decimal without sign or leading zeros.
func parsePort(text string) (uint16, error) {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 || strconv.FormatUint(n, 10) != text {
		return 0, errPort
	}
	return uint16(n), nil
}
