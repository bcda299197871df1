package guest

import (
	"bytes"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/guestapi"
)

const (
	maxWait = time.Hour
	// pollEvery is how often a display is asked that does not announce changes.
	pollEvery = 5 * time.Millisecond
)

// health answers how the guest stands. With ?wait= it answers when the guest
// is ready or has failed, or, with ?after=N too, when there is a notice beyond
// N, it has failed or readiness changes; at the latest after the wait.
func (s *server) health(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	wait, err := duration(q, "wait", maxWait)
	if err != nil {
		return err
	}
	after, err := number(q, "after")
	if err != nil {
		return err
	}
	first := s.state(after)
	limit := time.NewTimer(wait)
	defer limit.Stop()
	for now := first; ; now = s.state(after) {
		news := now.Ready || now.Failed != ""
		if q.Has("after") {
			news = len(now.Notices) > 0 || now.Ready != first.Ready || now.Failed != ""
		}
		if news || wait == 0 {
			reply(w, http.StatusOK, now)
			return nil
		}
		changed, stop := s.changed()
		// What happened before changed was taken is seen by asking once more.
		if differ(now, s.state(after)) {
			stop()
			continue
		}
		select {
		case <-changed:
		case <-limit.C:
			wait = 0
		case <-r.Context().Done():
			wait = 0
		}
		stop()
	}
}

// differ reports whether two healths beyond the same notice are not the same.
func differ(a, b guestapi.HealthReply) bool {
	return a.Ready != b.Ready || a.Failed != b.Failed || len(a.Notices) != len(b.Notices)
}

// state returns the health of this moment.
func (s *server) state(after int64) guestapi.HealthReply {
	h := guestapi.HealthReply{Ready: true, Programs: []guestapi.Program{}, Notices: []guestapi.Notice{}, PID: os.Getpid(), RSS: resident()}
	if s.config.Display == nil {
		return h
	}
	programs, notices, ready, failed := s.config.Display.Health()
	h.Programs = append(h.Programs, programs...)
	for _, n := range notices {
		if n.N > after {
			h.Notices = append(h.Notices, n)
		}
	}
	h.Ready, h.Failed = ready, failed
	return h
}

// changed returns a channel that fires when the display's health may have
// changed, and a function that lets go of it.
func (s *server) changed() (<-chan struct{}, func()) {
	if s.config.Display == nil {
		return nil, func() {}
	}
	if a, ok := s.config.Display.(announcer); ok {
		return a.Changed(), func() {}
	}
	fired := make(chan struct{})
	t := time.AfterFunc(pollEvery, func() { close(fired) })
	return fired, func() { t.Stop() }
}

// resident returns the bytes of memory that this process holds, 0 when that
// cannot be told.
func resident() int64 {
	data, err := os.ReadFile("/proc/self/statm")
	f := bytes.Fields(data)
	if err != nil || len(f) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(f[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

// duration reads a Go duration from q, 0 when absent.
func duration(q url.Values, name string, most time.Duration) (time.Duration, error) {
	if !q.Has(name) {
		return 0, nil
	}
	d, err := time.ParseDuration(q.Get(name))
	if err != nil || d < 0 || d > most {
		return 0, deskhand.Errorf("", deskhand.Invalid, "%s %q is not a duration from 0s to %s", name, q.Get(name), most)
	}
	return d, nil
}

// number reads a count from q, 0 when absent.
func number(q url.Values, name string) (int64, error) {
	if !q.Has(name) {
		return 0, nil
	}
	n, err := strconv.ParseInt(q.Get(name), 10, 64)
	if err != nil || n < 0 {
		return 0, deskhand.Errorf("", deskhand.Invalid, "%s %q is not a whole number of 0 or more", name, q.Get(name))
	}
	return n, nil
}
