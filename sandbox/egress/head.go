package egress

import (
	"bytes"
	"errors"
	"io"
	"strings"
)

// head is the head of one request, read strictly: what could be read in two
// ways is no head.
type head struct {
	raw    []byte // up to and including the empty line
	method string
	target string
	fields []field
}

type field struct{ name, value string } // name in lower case

var (
	errHead    = errors.New("not the head of a request")
	errTooLong = errors.New("the head of a request is too long")
)

// readHead reads up to the empty line that ends a head, of at most limit
// bytes, and returns it with what came after it.
func readHead(r io.Reader, limit int) (raw, rest []byte, err error) {
	buf := make([]byte, 0, 4096)
	for {
		seen := max(0, len(buf)-3)
		if len(buf) == cap(buf) {
			buf = append(make([]byte, 0, min(2*cap(buf), limit+1)), buf...)
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if i := bytes.Index(buf[seen:], []byte("\r\n\r\n")); i >= 0 {
			end := seen + i + 4
			return buf[:end:end], buf[end:], nil
		}
		if len(buf) > limit {
			return nil, nil, errTooLong
		}
		if err != nil {
			return nil, nil, err
		}
	}
}

// parseHead reads a head. It refuses bare line feeds and carriage returns,
// control characters, continued lines, blanks around names, more than one
// Host, and a body whose length is said in two ways.
func parseHead(raw []byte) (head, error) {
	h := head{raw: raw}
	text, ok := strings.CutSuffix(string(raw), "\r\n\r\n")
	if !ok {
		return h, errHead
	}
	lines := strings.Split(text, "\r\n")
	words := strings.Split(lines[0], " ")
	if len(words) != 3 || !token(words[0]) || !visible(words[1]) || words[2] != "HTTP/1.1" && words[2] != "HTTP/1.0" {
		return h, errHead
	}
	h.method, h.target = words[0], words[1]
	for _, line := range lines[1:] {
		name, value, ok := strings.Cut(line, ":")
		if !ok || !token(name) || !clean(value) {
			return h, errHead
		}
		h.fields = append(h.fields, field{strings.ToLower(name), strings.Trim(value, " \t")})
	}
	if !h.framed() || h.count("host") > 1 || h.count("host") == 0 && words[2] == "HTTP/1.1" {
		return h, errHead
	}
	return h, nil
}

// framed reports whether the end of the body is said in one way only.
func (h head) framed() bool {
	lengths, codings := h.count("content-length"), h.count("transfer-encoding")
	switch {
	case lengths+codings > 1:
		return false
	case codings == 1:
		return strings.EqualFold(h.get("transfer-encoding"), "chunked") && h.method != "CONNECT"
	case lengths == 1:
		n := h.get("content-length")
		return n != "" && len(n) < 19 && strings.Trim(n, "0123456789") == "" && (h.method != "CONNECT" || n == "0")
	}
	return true
}

func (h head) count(name string) int {
	n := 0
	for _, f := range h.fields {
		if f.name == name {
			n++
		}
	}
	return n
}

func (h head) get(name string) string {
	for _, f := range h.fields {
		if f.name == name {
			return f.value
		}
	}
	return ""
}

// token reports whether s is a token of HTTP.
func token(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0) {
			return false
		}
	}
	return s != ""
}

// visible reports whether s is of visible ASCII.
func visible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return s != ""
}

// clean reports whether s has no control character but tabs.
func clean(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' && s[i] != '\t' || s[i] == 0x7f {
			return false
		}
	}
	return true
}
