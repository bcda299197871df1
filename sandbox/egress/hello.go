package egress

import (
	"encoding/binary"
	"errors"
	"io"
)

const (
	recordHandshake = 22
	recordHeader    = 5
	maxRecord       = 1 << 14 // bytes in one record of a handshake
	clientHello     = 1
	extensionName   = 0
	nameHost        = 0
)

var (
	errHello    = errors.New("not a ClientHello in one record")
	errNameless = errors.New("a ClientHello without a name")
)

// readHello reads the first record of a handshake, whose first byte was seen.
func readHello(r io.Reader) ([]byte, error) {
	record := make([]byte, recordHeader, recordHeader+2048)
	if _, err := io.ReadFull(r, record); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint16(record[3:]))
	if record[0] != recordHandshake || record[1] != 3 || n == 0 || n > maxRecord {
		return nil, errHello
	}
	record = append(record, make([]byte, n)...)
	_, err := io.ReadFull(r, record[recordHeader:])
	return record, err
}

// serverName returns the one host name that a ClientHello asks for. The record
// must hold exactly one ClientHello, whole: a handshake in pieces would have to
// be put together here exactly as every server does. errNameless: it names
// none; errHello: everything else that is not as it should be.
func serverName(record []byte) (string, error) {
	if len(record) < recordHeader || record[0] != recordHandshake {
		return "", errHello
	}
	body := reader(record[recordHeader:])
	if int(binary.BigEndian.Uint16(record[3:])) != len(body) {
		return "", errHello
	}
	kind, hello := body.take(1), body.vector(3)
	if body.bad() || len(body) != 0 || kind[0] != clientHello {
		return "", errHello
	}
	hello.take(2 + 32) // version, random
	hello.vector(1)    // session
	hello.vector(2)    // ciphers
	hello.vector(1)    // compression
	if hello.bad() {
		return "", errHello
	}
	if len(hello) == 0 {
		return "", errNameless
	}
	all := hello.vector(2)
	if hello.bad() || len(hello) != 0 {
		return "", errHello
	}
	return nameIn(all)
}

// nameIn finds the name among the extensions.
func nameIn(all reader) (string, error) {
	seen := map[uint16]bool{}
	name := ""
	for len(all) > 0 {
		id, data := all.take(2), all.vector(2)
		if all.bad() {
			return "", errHello
		}
		kind := binary.BigEndian.Uint16(id)
		if seen[kind] {
			return "", errHello
		}
		seen[kind] = true
		if kind != extensionName {
			continue
		}
		list := data.vector(2)
		if data.bad() || len(data) != 0 {
			return "", errHello
		}
		what, host := list.take(1), list.vector(2)
		if list.bad() || len(list) != 0 || what[0] != nameHost || len(host) == 0 {
			return "", errHello // several names, or of another kind
		}
		name = string(host)
	}
	if !seen[extensionName] {
		return "", errNameless
	}
	return name, nil
}

// reader takes bytes off the front. After it was asked for more than there is
// it is nil and stays so, which bad reports.
type reader []byte

func (r *reader) take(n int) reader {
	if *r == nil || len(*r) < n {
		*r = nil
		return make(reader, min(n, 8)) // nobody looks at it before asking bad
	}
	out := (*r)[:n:n]
	*r = (*r)[n:]
	return out
}

// vector takes a length of so many bytes and then as many bytes as it says.
func (r *reader) vector(width int) reader {
	n := 0
	for _, b := range r.take(width) {
		n = n<<8 | int(b)
	}
	return r.take(n)
}

func (r *reader) bad() bool { return *r == nil }
