package guest

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/internal/guestapi"
)

// Bounds of the bodies of desktop requests: text in JSON can grow sixfold.
const (
	inputLimit     = 8 * desktop.MaxText
	clipboardLimit = 16 << 20
	maxSettle      = 10 * time.Minute
)

func (s *server) size(w http.ResponseWriter, r *http.Request) error {
	d, err := s.desktop()
	if err != nil {
		return err
	}
	size, err := d.Size(r.Context())
	return ok(w, size, err)
}

// screen answers with the picture's bytes, or 204 when nothing changed since.
func (s *server) screen(w http.ResponseWriter, r *http.Request) error {
	shot, err := parseShot(r)
	if err != nil {
		return err
	}
	d, err := s.desktop()
	if err != nil {
		return err
	}
	p, err := d.Screen(r.Context(), shot)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set(guestapi.FrameHeader, strconv.FormatUint(p.Frame, 10))
	h.Set(guestapi.SizeHeader, p.Size.String())
	if p.Unchanged {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	h.Set("Content-Type", p.MediaType)
	h.Set("Content-Length", strconv.Itoa(len(p.Data)))
	_, _ = w.Write(p.Data) // a client that is gone needs no answer
	return nil
}

// parseShot reads a desktop.Shot from the query.
func parseShot(r *http.Request) (desktop.Shot, error) {
	q := r.URL.Query()
	shot := desktop.Shot{Format: desktop.Format(q.Get("format"))}
	var err error
	if q.Has("region") {
		if shot.Region, err = parseRect(q.Get("region")); err != nil {
			return shot, err
		}
	}
	if q.Has("size") {
		if shot.Size, err = deskhand.ParseSize(q.Get("size")); err != nil {
			return shot, err
		}
	}
	quality, err := number(q, "quality")
	if err != nil {
		return shot, err
	}
	shot.Quality = int(quality)
	if q.Has("cursor") {
		if shot.Cursor, err = strconv.ParseBool(q.Get("cursor")); err != nil {
			return shot, deskhand.Errorf("", deskhand.Invalid, "cursor %q is neither true nor false", q.Get("cursor"))
		}
	}
	if q.Has("since") {
		if shot.Since, err = strconv.ParseUint(q.Get("since"), 10, 64); err != nil {
			return shot, deskhand.Errorf("", deskhand.Invalid, "since %q is not a frame", q.Get("since"))
		}
	}
	return shot, nil
}

// parseRect reads "x0,y0,x1,y1".
func parseRect(text string) (deskhand.ScreenRect, error) {
	var n [4]int
	parts := strings.Split(text, ",")
	for i, part := range parts {
		v, err := strconv.Atoi(part)
		if err != nil || i >= len(n) {
			parts = nil
			break
		}
		n[i] = v
	}
	if len(parts) != len(n) {
		return deskhand.ScreenRect{}, deskhand.Errorf("", deskhand.Invalid, "region %q is not x0,y0,x1,y1", text)
	}
	return deskhand.ScreenRect{X0: n[0], Y0: n[1], X1: n[2], Y1: n[3]}, nil
}

// input performs actions. When the client goes away the driver's context ends,
// and the driver lets go of what it held.
func (s *server) input(w http.ResponseWriter, r *http.Request) error {
	var actions []desktop.Action
	if err := decode(w, r, inputLimit, &actions); err != nil {
		return err
	}
	d, err := s.desktop()
	if err != nil {
		return err
	}
	return done(w, d.Input(r.Context(), actions...))
}

func (s *server) release(w http.ResponseWriter, r *http.Request) error {
	d, err := s.desktop()
	if err != nil {
		return err
	}
	return done(w, d.Release(r.Context()))
}

func (s *server) cursor(w http.ResponseWriter, r *http.Request) error {
	d, err := s.desktop()
	if err != nil {
		return err
	}
	p, err := d.Cursor(r.Context())
	return ok(w, p, err)
}

func (s *server) windows(w http.ResponseWriter, r *http.Request) error {
	d, err := s.desktop()
	if err != nil {
		return err
	}
	windows, err := d.Windows(r.Context())
	if windows == nil {
		windows = []desktop.Window{}
	}
	return ok(w, windows, err)
}

func (s *server) clipboard(w http.ResponseWriter, r *http.Request) error {
	d, err := s.desktop()
	if err != nil {
		return err
	}
	text, err := d.Clipboard(r.Context())
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	_, _ = w.Write([]byte(text)) // a client that is gone needs no answer
	return nil
}

func (s *server) setClipboard(w http.ResponseWriter, r *http.Request) error {
	text, err := body(w, r, clipboardLimit)
	if err != nil {
		return err
	}
	d, err := s.desktop()
	if err != nil {
		return err
	}
	return done(w, d.SetClipboard(r.Context(), string(text)))
}

func (s *server) settle(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	var wait desktop.Wait
	for name, d := range map[string]*time.Duration{"quiet": &wait.Quiet, "limit": &wait.Limit, "first": &wait.First} {
		v, err := duration(q, name, maxSettle)
		if err != nil {
			return err
		}
		*d = v
	}
	if q.Has("since") {
		var err error
		if wait.Since, err = strconv.ParseUint(q.Get("since"), 10, 64); err != nil {
			return deskhand.Errorf("", deskhand.Invalid, "since %q is not a frame", q.Get("since"))
		}
	}
	d, err := s.desktop()
	if err != nil {
		return err
	}
	settled, err := d.Settle(r.Context(), wait)
	return ok(w, settled, err)
}
