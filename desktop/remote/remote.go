// Package remote is desktop.Desktop behind a guest, over the guest API.
//
// Trust: the guest is ours, but what it shows is hostile data, which this
// package carries and never interprets. Answers are bounded in size.
package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"unicode/utf8"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/internal/guestapi"
)

// base is the address of every request; the client's transport decides where it goes.
const base = "http://guest"

// answerLimit bounds an answer, in bytes: a picture of the largest display.
const answerLimit = 256 << 20

// remote implements desktop.Desktop.
type remote struct {
	client *http.Client
	token  string
	closed atomic.Bool
}

// New returns the desktop behind the guest that client reaches, whatever host
// a request names. A token is sent with every request when it is not empty.
func New(client *http.Client, token string) desktop.Desktop {
	return &remote{client: client, token: token}
}

// answer is a success, read whole.
type answer struct {
	status int
	header http.Header
	data   []byte
}

// call sends a request and reads the answer. Its errors have a code and the
// guest's own text, which may be meant for the model.
func (d *remote) call(ctx context.Context, method, path string, q url.Values, body []byte) (answer, *guestapi.Failure, error) {
	if d.closed.Load() {
		return answer{}, nil, deskhand.Errorf("desktop", deskhand.Unavailable, "the desktop is closed")
	}
	target := base + path
	if len(q) > 0 {
		target += "?" + q.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return answer{}, nil, deskhand.E("desktop", deskhand.Internal, err)
	}
	if d.token != "" {
		r.Header.Set("Authorization", "Bearer "+d.token)
	}
	res, err := d.client.Do(r)
	if err != nil {
		return answer{}, nil, lost(ctx, err)
	}
	defer res.Body.Close()
	if f := guestapi.FailureOf(res); f != nil {
		return answer{}, f, f.Err()
	}
	data, err := readAll(res)
	if err != nil {
		return answer{}, nil, lost(ctx, err)
	}
	return answer{res.StatusCode, res.Header, data}, nil, nil
}

// readAll reads the body into memory of its size.
func readAll(res *http.Response) ([]byte, error) {
	if res.ContentLength > answerLimit {
		return nil, fmt.Errorf("an answer of %d bytes is too large", res.ContentLength)
	}
	if res.ContentLength < 0 {
		return io.ReadAll(io.LimitReader(res.Body, answerLimit))
	}
	data := make([]byte, res.ContentLength)
	_, err := io.ReadFull(res.Body, data)
	return data, err
}

// lost turns a broken connection into an error of the project.
func lost(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return deskhand.E("desktop", deskhand.Canceled, context.Cause(ctx))
	}
	var known *deskhand.Error
	if errors.As(err, &known) {
		return deskhand.E("desktop", known.Code, known)
	}
	return deskhand.Errorf("desktop", deskhand.Unavailable, "the desktop does not answer: %w", err)
}

// get asks for JSON.
func (d *remote) get(ctx context.Context, path string, q url.Values, v any) error {
	a, _, err := d.call(ctx, http.MethodGet, path, q, nil)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(a.data, v); err != nil {
		return deskhand.Errorf("desktop", deskhand.Internal, "the guest's answer is not what was expected: %w", err)
	}
	return nil
}

func (d *remote) Size(ctx context.Context) (deskhand.Size, error) {
	var size deskhand.Size
	return size, d.get(ctx, guestapi.Size, nil, &size)
}

func (d *remote) Screen(ctx context.Context, shot desktop.Shot) (desktop.Picture, error) {
	a, _, err := d.call(ctx, http.MethodGet, guestapi.Screen, query(shot), nil)
	if err != nil {
		return desktop.Picture{}, err
	}
	p := desktop.Picture{MediaType: a.header.Get("Content-Type")}
	frame, errFrame := strconv.ParseUint(a.header.Get(guestapi.FrameHeader), 10, 64)
	p.Frame = frame
	if a.status == http.StatusNoContent {
		p.Unchanged = true
		if s := a.header.Get(guestapi.SizeHeader); s != "" {
			p.Size, _ = deskhand.ParseSize(s) // zero when the driver gave none
		}
		return p, odd(errFrame)
	}
	size, errSize := deskhand.ParseSize(a.header.Get(guestapi.SizeHeader))
	p.Size, p.Data = size, a.data
	return p, odd(errors.Join(errFrame, errSize))
}

func odd(err error) error {
	if err == nil {
		return nil
	}
	return deskhand.Errorf("desktop", deskhand.Internal, "the guest's answer is not what was expected: %w", err)
}

// query is the wire form of a Shot; what is zero is left out.
func query(shot desktop.Shot) url.Values {
	q := url.Values{}
	if r := shot.Region; r != (deskhand.ScreenRect{}) {
		q.Set("region", fmt.Sprintf("%d,%d,%d,%d", r.X0, r.Y0, r.X1, r.Y1))
	}
	if shot.Size != (deskhand.Size{}) {
		q.Set("size", shot.Size.String())
	}
	if shot.Format != desktop.Auto {
		q.Set("format", string(shot.Format))
	}
	if shot.Quality != 0 {
		q.Set("quality", strconv.Itoa(shot.Quality))
	}
	if shot.Cursor {
		q.Set("cursor", "true")
	}
	if shot.Since != 0 {
		q.Set("since", strconv.FormatUint(shot.Since, 10))
	}
	return q
}

func (d *remote) Input(ctx context.Context, actions ...desktop.Action) error {
	if actions == nil {
		actions = []desktop.Action{}
	}
	for i, a := range actions { // JSON would replace the bytes without a word
		if !utf8.ValidString(a.Text) {
			return &desktop.InputError{Action: i, Err: deskhand.Errorf("", deskhand.Invalid, "The text to type is not valid UTF-8.")}
		}
	}
	body, err := json.Marshal(actions)
	if err != nil {
		return deskhand.E("desktop", deskhand.Invalid, err)
	}
	_, f, err := d.call(ctx, http.MethodPost, guestapi.Input, nil, body)
	if f != nil {
		return &desktop.InputError{Action: f.Action, Typed: f.Typed, Err: err}
	}
	return err
}

func (d *remote) Release(ctx context.Context) error {
	_, _, err := d.call(ctx, http.MethodPost, guestapi.Release, nil, nil)
	return err
}

func (d *remote) Cursor(ctx context.Context) (deskhand.ScreenPoint, error) {
	var p deskhand.ScreenPoint
	return p, d.get(ctx, guestapi.Cursor, nil, &p)
}

func (d *remote) Windows(ctx context.Context) ([]desktop.Window, error) {
	var w []desktop.Window
	return w, d.get(ctx, guestapi.Windows, nil, &w)
}

func (d *remote) Clipboard(ctx context.Context) (string, error) {
	a, _, err := d.call(ctx, http.MethodGet, guestapi.Clipboard, nil, nil)
	return string(a.data), err
}

func (d *remote) SetClipboard(ctx context.Context, text string) error {
	_, _, err := d.call(ctx, http.MethodPut, guestapi.Clipboard, nil, []byte(text))
	return err
}

func (d *remote) Settle(ctx context.Context, wait desktop.Wait) (desktop.Settled, error) {
	q := url.Values{}
	for name, v := range map[string]fmt.Stringer{"quiet": wait.Quiet, "limit": wait.Limit, "first": wait.First} {
		if v.String() != "0s" {
			q.Set(name, v.String())
		}
	}
	if wait.Since != 0 {
		q.Set("since", strconv.FormatUint(wait.Since, 10))
	}
	var s desktop.Settled
	return s, d.get(ctx, guestapi.Settle, q, &s)
}

// Close makes every later call fail. The desktop itself belongs to the guest.
func (d *remote) Close() error {
	d.closed.Store(true)
	return nil
}
