package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/guestapi"
	"github.com/deskhand/deskhand/sandbox"
)

// Stat describes the file at path.
func (s *Sandbox) Stat(ctx context.Context, path string) (sandbox.FileInfo, error) {
	var info sandbox.FileInfo
	return info, s.getJSON(ctx, "sandbox: stat", guestapi.Stat, url.Values{"path": {path}}, &info)
}

// ReadDir lists a directory.
func (s *Sandbox) ReadDir(ctx context.Context, path string) ([]sandbox.FileInfo, error) {
	var infos []sandbox.FileInfo
	return infos, s.getJSON(ctx, "sandbox: list", guestapi.Dir, url.Values{"path": {path}}, &infos)
}

// ReadFile reads a part of a regular file.
func (s *Sandbox) ReadFile(ctx context.Context, path string, offset, limit int64) ([]byte, sandbox.FileInfo, error) {
	const op = "sandbox: read"
	q := url.Values{"path": {path}, "offset": {strconv.FormatInt(offset, 10)}, "limit": {strconv.FormatInt(limit, 10)}}
	res, err := s.do(ctx, op, http.MethodGet, guestapi.File, q, nil, nil, 0)
	if err != nil {
		return nil, sandbox.FileInfo{}, err
	}
	defer res.Body.Close()
	var info sandbox.FileInfo
	if err := json.Unmarshal([]byte(res.Header.Get(guestapi.InfoHeader)), &info); err != nil {
		return nil, sandbox.FileInfo{}, deskhand.Errorf(op, deskhand.Internal, "the guest does not describe the file: %w", err)
	}
	if limit == 0 {
		limit = sandbox.MaxRead
	}
	data, err := io.ReadAll(io.LimitReader(res.Body, limit))
	if err != nil {
		return nil, sandbox.FileInfo{}, deskhand.E(op, "", s.lost(ctx, err))
	}
	if offset == 0 && int64(len(data)) == info.Size {
		info.Hash = deskhand.HashOf(data)
	}
	return data, info, nil
}

// WriteFile makes data the content of the file at path.
func (s *Sandbox) WriteFile(ctx context.Context, path string, data []byte, o sandbox.WriteOptions) (sandbox.FileInfo, error) {
	const op = "sandbox: write"
	if len(data) > sandbox.MaxRead {
		return sandbox.FileInfo{}, deskhand.Errorf(op, deskhand.Invalid, "%d bytes are more than %d", len(data), sandbox.MaxRead)
	}
	h := http.Header{"Content-Type": {"application/octet-stream"}}
	if o.IfVersion != "" {
		h.Set("If-Match", strconv.Quote(o.IfVersion))
	}
	if o.IfAbsent {
		h.Set("If-None-Match", "*")
	}
	// A reader of its own type keeps the HTTP client from sending it twice.
	body := struct{ io.Reader }{bytes.NewReader(data)}
	res, err := s.do(ctx, op, http.MethodPut, guestapi.File, url.Values{"path": {path}}, h, body, int64(len(data)))
	if err != nil {
		return sandbox.FileInfo{}, err
	}
	var info sandbox.FileInfo
	return info, s.readJSON(ctx, op, res, &info)
}
