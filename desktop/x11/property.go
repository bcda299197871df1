package x11

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/deskhand/deskhand/internal/xwire"
)

// atoms are the names that the driver uses in properties and selections.
type atoms map[string]uint32

var atomNames = []string{
	"_NET_CLIENT_LIST_STACKING", "_NET_CLIENT_LIST", "_NET_ACTIVE_WINDOW", "_NET_WM_NAME", "_NET_WM_PID",
	"_NET_FRAME_EXTENTS", "_GTK_FRAME_EXTENTS", "_NET_WM_STATE", "_NET_WM_STATE_HIDDEN", "_NET_WM_PING",
	"WM_PROTOCOLS", "XdndSelection", "UTF8_STRING", "TEXT", "CLIPBOARD", "TARGETS", "TIMESTAMP", "MULTIPLE", "INCR", "ATOM_PAIR",
	"text/plain;charset=utf-8", "text/plain", "_DESKHAND_0", "_DESKHAND_1", "_DESKHAND_2", "_DESKHAND_3",
}

func internAtoms(ctx context.Context, c *xwire.Conn) (atoms, error) {
	var b xwire.Batch
	replies := make([]*xwire.Reply, len(atomNames))
	for i, name := range atomNames {
		replies[i] = askAtom(&b, name)
	}
	if err := c.Send(ctx, &b); err != nil {
		return nil, err
	}
	out := atoms{}
	for i, r := range replies {
		raw, err := r.Wait(ctx)
		if err != nil {
			return nil, err
		}
		out[atomNames[i]] = le.Uint32(raw[8:])
	}
	return out, nil
}

// property is a property's value.
type property struct {
	kind   uint32 // atom; 0: there is none
	format int    // bits of an item: 8, 16, 32
	value  []byte
	after  uint32 // bytes that were not asked for
}

// askProperty asks for up to limit bytes of a property.
func askProperty(b *xwire.Batch, window, name uint32, limit int) *xwire.Reply {
	return b.Req(opGetProperty, 0).U32(window, name, 0, 0, uint32(limit/4)).Want()
}

func readProperty(r []byte) property {
	p := property{kind: le.Uint32(r[8:]), format: int(r[1]), after: le.Uint32(r[12:])}
	if n := int(le.Uint32(r[16:])) * p.format / 8; n >= 0 && n <= len(r)-32 {
		p.value = r[32 : 32+n]
	}
	return p
}

// numbers returns the items of a property of 32-bit numbers.
func (p property) numbers() []uint32 {
	if p.format != 32 {
		return nil
	}
	out := make([]uint32, len(p.value)/4)
	for i := range out {
		out[i] = le.Uint32(p.value[4*i:])
	}
	return out
}

func (p property) number() uint32 {
	if n := p.numbers(); len(n) > 0 {
		return n[0]
	}
	return 0
}

// text returns the property as valid UTF-8 without NUL. What is neither UTF-8
// nor says so is Latin-1 (STRING, and what COMPOUND_TEXT is without escapes).
func (p property) text(utf8String uint32) string {
	if p.format != 8 {
		return ""
	}
	if !utf8.Valid(p.value) && p.kind != 0 && p.kind != utf8String {
		return fromLatin1(p.value)
	}
	return strings.ReplaceAll(strings.ToValidUTF8(string(p.value), "\ufffd"), "\x00", "")
}

func fromLatin1(b []byte) string {
	var s strings.Builder
	for _, c := range b {
		if c != 0 {
			s.WriteRune(rune(c))
		}
	}
	return s.String()
}
