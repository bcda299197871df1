package guest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/guestapi"
	"github.com/deskhand/deskhand/sandbox"
	"github.com/deskhand/deskhand/sandbox/host"
)

func (s *server) stat(w http.ResponseWriter, r *http.Request) error {
	info, err := s.host.Stat(r.Context(), r.URL.Query().Get("path"))
	return ok(w, info, err)
}

func (s *server) readDir(w http.ResponseWriter, r *http.Request) error {
	infos, err := s.host.ReadDir(r.Context(), r.URL.Query().Get("path"))
	return ok(w, infos, err)
}

// readFile sends a part of a file as it is read, so that the guest stays small
// however large the file is. The client computes the hash.
func (s *server) readFile(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	offset, err := number(q, "offset")
	if err != nil {
		return err
	}
	limit, err := number(q, "limit")
	if err != nil {
		return err
	}
	if limit, err = host.Limit(limit); err != nil {
		return err
	}
	f, info, err := s.host.OpenFile(r.Context(), q.Get("path"), offset)
	if err != nil {
		return err
	}
	defer f.Close()
	content := bufio.NewReader(io.LimitReader(f, limit))
	if _, err := content.Peek(1); err != nil && err != io.EOF { // what cannot be read at all can still be told
		return deskhand.Errorf("sandbox: read", deskhand.Internal, "%q: %w", q.Get("path"), err)
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set(guestapi.InfoHeader, asciiJSON(info))
	if _, err := io.Copy(w, content); err != nil {
		panic(http.ErrAbortHandler) // the client must not take the part for the whole
	}
	return nil
}

// writeFile makes the body the content of a file.
func (s *server) writeFile(w http.ResponseWriter, r *http.Request) error {
	o := sandbox.WriteOptions{IfVersion: strings.Trim(r.Header.Get("If-Match"), `"`)}
	switch r.Header.Get("If-None-Match") {
	case "":
	case "*":
		o.IfAbsent = true
	default:
		return deskhand.Errorf("", deskhand.Invalid, "If-None-Match can only be *")
	}
	if r.ContentLength > sandbox.MaxRead {
		return deskhand.Errorf("", deskhand.Invalid, "%d bytes are more than %d", r.ContentLength, int64(sandbox.MaxRead))
	}
	info, err := s.host.WriteFrom(r.Context(), r.URL.Query().Get("path"), http.MaxBytesReader(w, r.Body, sandbox.MaxRead), o)
	return ok(w, info, err)
}

// asciiJSON encodes v so that it can stand in a header, whatever names it holds.
func asciiJSON(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // unreachable unless a wire type cannot be JSON
	}
	var b bytes.Buffer
	for len(data) > 0 {
		r, n := utf8.DecodeRune(data)
		data = data[n:]
		switch {
		case r < 0x7f:
			b.WriteByte(byte(r))
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, hi, lo)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}
