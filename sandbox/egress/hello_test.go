package egress

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"testing"
)

func newReader(data []byte) *bufio.Reader { return bufio.NewReader(bytes.NewReader(data)) }

// vector writes data with its length before it.
func vector(width int, data ...[]byte) []byte {
	all := bytes.Join(data, nil)
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(all)))
	return append(n[8-width:], all...)
}

// helloOf wraps extensions into a ClientHello, and that into one record.
func helloOf(extensions ...[]byte) []byte {
	body := bytes.Join([][]byte{{3, 3}, make([]byte, 32), vector(1, nil), vector(2, []byte{0x13, 0x01}), vector(1, []byte{0}), vector(2, extensions...)}, nil)
	return record(append([]byte{clientHello}, vector(3, body)...))
}

func record(data []byte) []byte { return append([]byte{recordHandshake, 3, 1}, vector(2, data)...) }

func nameEntry(kind byte, name string) []byte {
	return append([]byte{kind}, vector(2, []byte(name))...)
}

func nameExtension(entries ...[]byte) []byte {
	return append([]byte{0, 0}, vector(2, vector(2, entries...))...)
}

// forge makes a ClientHello that names several hosts in one list.
func forge(names ...string) []byte {
	var entries [][]byte
	for _, name := range names {
		entries = append(entries, nameEntry(nameHost, name))
	}
	return helloOf(nameExtension(entries...))
}

// split puts a record's handshake into two records.
func split(whole []byte) []byte {
	data := whole[recordHeader:]
	return append(record(data[:len(data)/2]), record(data[len(data)/2:])...)
}

func TestServerName(t *testing.T) {
	t.Parallel()
	for _, c := range []*tls.Config{{}, {MaxVersion: tls.VersionTLS12}} {
		if name, err := serverName(capture(t, "allowed.test", c)); err != nil || name != "allowed.test" {
			t.Errorf("%q, %v", name, err)
		}
		if _, err := serverName(capture(t, "198.51.100.7", c)); !errors.Is(err, errNameless) {
			t.Errorf("without a name: %v", err)
		}
	}
	good := forge("allowed.test")
	if name, err := serverName(good); err != nil || name != "allowed.test" {
		t.Fatalf("%q, %v", name, err)
	}
	name := nameEntry(nameHost, "allowed.test")
	for what, bad := range map[string][]byte{
		"two names":                forge("allowed.test", "evil.test"),
		"two extensions":           helloOf(nameExtension(name), nameExtension(nameEntry(nameHost, "evil.test"))),
		"any extension twice":      helloOf(nameExtension(name), []byte{0, 16, 0, 0}, []byte{0, 16, 0, 0}),
		"split over two records":   split(good),
		"only the first half":      split(good)[:recordHeader+(len(good)-recordHeader)/2],
		"two handshakes":           record(append(bytes.Clone(good[recordHeader:]), good[recordHeader:]...)),
		"another kind of name":     helloOf(nameExtension(nameEntry(1, "allowed.test"))),
		"an empty name":            forge(""),
		"an empty list":            helloOf(nameExtension()),
		"bytes after the list":     helloOf(append([]byte{0, 0}, vector(2, append(vector(2, name), 0))...)),
		"bytes after it all":       append(bytes.Clone(good), 0),
		"a server's hello":         record(append([]byte{2}, good[recordHeader+1:]...)),
		"a record of another kind": append([]byte{23}, good[1:]...),
		"nothing":                  {},
	} {
		if name, err := serverName(bad); !errors.Is(err, errHello) {
			t.Errorf("%s: %q, %v", what, name, err)
		}
	}
	for n := range good { // cut anywhere
		if name, err := serverName(good[:n]); err == nil {
			t.Errorf("cut after %d bytes it names %q", n, name)
		}
	}
}

func TestReadHello(t *testing.T) {
	t.Parallel()
	good := forge("allowed.test")
	if got, err := readHello(bytes.NewReader(append(bytes.Clone(good), "more"...))); err != nil || !bytes.Equal(got, good) {
		t.Errorf("%q, %v", got, err)
	}
	for _, bad := range []string{"\x16\x03\x01\x40\x01" + string(make([]byte, 1<<14+1)), "\x16\x03\x01\x00\x00", "\x16\x02\x01\x00\x01a", "\x16\x03\x01\x00\x02a", "\x16"} {
		if got, err := readHello(bytes.NewReader([]byte(bad))); err == nil {
			t.Errorf("%.9q gives %d bytes", bad, len(got))
		}
	}
}

func TestParseHead(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n":                                   true,
		"GET http://a.test/ HTTP/1.0\r\n":                                                   true,
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n":                               true,
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n":                      true,
		"GET / HTTP/1.1\r\nHost: a\r\nX: \tb c\t\r\n":                                       true,
		"GET / HTTP/1.1\r\n":                                                                false, // no Host
		"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n":                                          false,
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n": false,
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n":          false,
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n":                              false,
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n":                            false,
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n":                false,
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n":                     false,
		"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n":                      false,
		"GET / HTTP/1.1\r\nHost: a\r\n X: folded\r\n":                                       false,
		"GET / HTTP/1.1\r\nHost: a\nX: y\r\n":                                               false,
		"GET / HTTP/1.1\r\nHost: a\rX: y\r\n":                                               false,
		"GET / HTTP/1.1\r\nHost: a\x00b\r\n":                                                false,
		"GET /a b HTTP/1.1\r\nHost: a\r\n":                                                  false,
		"GET\t/ HTTP/1.1\r\nHost: a\r\n":                                                    false,
		"GET /\x7f HTTP/1.1\r\nHost: a\r\n":                                                 false,
		"GET / HTTP/2.0\r\nHost: a\r\n":                                                     false,
		"GET /\r\nHost: a\r\n":                                                              false,
		"\r\nGET / HTTP/1.1\r\nHost: a\r\n":                                                 false,
		"CONNECT a:443 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n":                        false,
		"CONNECT a:443 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n":               false,
	} {
		raw, rest, err := readHead(bytes.NewReader([]byte(text+"\r\nrest")), 1<<10)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if string(rest) != "rest" && want {
			t.Errorf("%q: rest is %q", text, rest)
		}
		if _, err := parseHead(raw); (err == nil) != want {
			t.Errorf("%q: %v, want %t", text, err, want)
		}
	}
	if _, _, err := readHead(bytes.NewReader(bytes.Repeat([]byte("x"), 2000)), 1<<10); !errors.Is(err, errTooLong) {
		t.Errorf("a long head: %v", err)
	}
}
