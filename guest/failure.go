package guest

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/internal/guestapi"
)

// statuses maps each code to its HTTP status.
var statuses = map[deskhand.Code]int{
	deskhand.Invalid:         http.StatusBadRequest,
	deskhand.NotFound:        http.StatusNotFound,
	deskhand.Conflict:        http.StatusConflict,
	deskhand.Denied:          http.StatusForbidden,
	deskhand.Unauthenticated: http.StatusUnauthorized,
	deskhand.OverLimit:       http.StatusRequestEntityTooLarge,
	deskhand.Unavailable:     http.StatusServiceUnavailable,
	deskhand.Canceled:        499, // nobody reads it: the client is gone
	deskhand.Internal:        http.StatusInternalServerError,
}

// internalWords is all that a client learns of a defect.
const internalWords = "something inside the sandbox broke; its log says what"

// failure returns the wire form of err and logs what it leaves out.
func (s *server) failure(r *http.Request, err error) guestapi.Failure {
	f := guestapi.Failure{Code: string(deskhand.CodeOf(err)), Message: err.Error()}
	var input *desktop.InputError
	if errors.As(err, &input) {
		f.Action, f.Typed = input.Action, input.Typed
	}
	if f.Code == string(deskhand.Internal) {
		f.Message = internalWords
		s.log.LogAttrs(r.Context(), slog.LevelError, "request failed", slog.String("path", r.URL.Path), slog.Any("err", err))
	}
	return f
}

// handle turns a function that may fail into a handler. The function has
// written nothing when it fails.
func (s *server) handle(f func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := f(w, r); err != nil {
			failed := s.failure(r, err)
			reply(w, statuses[deskhand.Code(failed.Code)], failed)
		}
	})
}

// reply writes v as JSON in one piece.
func reply(w http.ResponseWriter, status int, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // unreachable unless a wire type cannot be JSON
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	w.WriteHeader(status)
	_, _ = w.Write(data) // a client that is gone needs no answer
}

// ok writes v as a success.
func ok(w http.ResponseWriter, v any, err error) error {
	if err == nil {
		reply(w, http.StatusOK, v)
	}
	return err
}

// done writes a success without content.
func done(w http.ResponseWriter, err error) error {
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}
