package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	remotedesktop "github.com/deskhand/deskhand/desktop/remote"
	"github.com/deskhand/deskhand/internal/plaintext"
)

type desktopViewCmd struct {
	Name   string `arg:"" optional:"" help:"Name of the desktop (default: the only one)."`
	NoOpen bool   `help:"Only print the address; do not open a browser."`
}

// Run serves a page that shows the desktop, to this machine only, until it is
// interrupted or the desktop is gone.
func (c *desktopViewCmd) Run(ctx context.Context, a *app) error {
	d, h, err := a.upDesktop(c.Name)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	ctx, gone := context.WithCancelCause(ctx)
	defer gone(nil)
	place := d.attach(h)
	defer func() { _ = place.Close() }()
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return deskhand.Errorf("desktop: view", deskhand.Unavailable, "no port of the loopback address is free: %w", err)
	}
	w := &watcher{
		desktop: remotedesktop.New(place.HTTP(), ""), host: l.Addr().String(), token: rand.Text(),
		title: h.Name, gone: func() { gone(errGone) },
	}
	url := "http://" + w.host + "/" + w.token + "/"
	fmt.Fprintf(a.stdout, "%s is at %s (to look at only; Ctrl-C ends this view, not the desktop).\n", h.Name, url)
	if !c.NoOpen {
		openBrowser(a, url)
	}
	if err := serveUntil(ctx, l, w.handler()); err != nil {
		return deskhand.E("desktop: view", deskhand.Internal, err)
	}
	if cause := context.Cause(ctx); errors.Is(cause, errGone) {
		return cause
	}
	return nil
}

// viewEnd bounds how long open requests may take at the end.
const viewEnd = time.Second

func serveUntil(ctx context.Context, l net.Listener, h http.Handler) error {
	const headers = 10 * time.Second
	srv := &http.Server{Handler: h, ReadHeaderTimeout: headers, BaseContext: func(net.Listener) context.Context { return ctx }}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(l) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), viewEnd)
	defer cancel()
	if srv.Shutdown(bounded) != nil {
		srv.Close()
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// openBrowser opens url where there is a screen and a browser to show it.
func openBrowser(a *app, url string) {
	if a.env("DISPLAY") == "" && a.env("WAYLAND_DISPLAY") == "" {
		return
	}
	program, err := exec.LookPath("xdg-open")
	if err != nil {
		return
	}
	//nolint:noctx // the browser outlives this command
	cmd := exec.Command(program, url)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if cmd.Start() == nil {
		a.onClose(func() error { return ignore(cmd.Process.Release()) })
	}
}

//go:embed watch.html
var watchHTML string

//go:embed watch.js
var watchJS string

//go:embed watch.css
var watchCSS string

// watcher shows one desktop as a page. The token in the address keeps other
// programs and pages of this machine out; so does the check of the host, against
// names that are made to point here.
type watcher struct {
	desktop desktop.Desktop
	host    string // address and port
	token   string
	title   string
	gone    func() // called when the desktop does not answer any more
}

// frameWait is how long a request for the next frame may wait for a change.
const frameWait = 20 * time.Second

func (w *watcher) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /"+w.token+"/{$}", w.page)
	mux.HandleFunc("GET /"+w.token+"/frame", w.frame)
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		head := rw.Header()
		head.Set("Cache-Control", "no-store")
		head.Set("Referrer-Policy", "no-referrer")
		head.Set("X-Content-Type-Options", "nosniff")
		head.Set("Cross-Origin-Resource-Policy", "same-origin")
		site := r.Header.Get("Sec-Fetch-Site")
		if r.Host != w.host || site == "cross-site" || site == "same-site" {
			http.Error(rw, "This page is only for the address that was printed.", http.StatusForbidden)
			return
		}
		mux.ServeHTTP(rw, r)
	})
}

func hashOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

func (w *watcher) page(rw http.ResponseWriter, r *http.Request) {
	rw.Header().Set("Content-Security-Policy", "default-src 'none'; img-src blob:; connect-src 'self'; script-src "+hashOf(watchJS)+
		"; style-src "+hashOf(watchCSS)+"; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	rw.Header().Set("Content-Type", "text/html; charset=utf-8")
	page := template.Must(template.New("watch").Parse(watchHTML))
	page.Execute(rw, map[string]any{"Title": plaintext.Line(w.title), "CSS": template.CSS(watchCSS), "JS": template.JS(watchJS)})
}

// frame answers with the first frame after ?since that differs, or 204 when
// nothing changes for a while.
func (w *watcher) frame(rw http.ResponseWriter, r *http.Request) {
	since, _ := strconv.ParseUint(r.URL.Query().Get("since"), 10, 64) // anything else is 0: the frame of now
	ctx := r.Context()
	p, err := w.desktop.Screen(ctx, desktop.Shot{Since: since, Cursor: true})
	if err == nil && p.Unchanged {
		_, err = w.desktop.Settle(ctx, desktop.Wait{Since: since, First: frameWait, Quiet: time.Millisecond, Limit: frameWait})
		if err == nil {
			p, err = w.desktop.Screen(ctx, desktop.Shot{Since: since, Cursor: true})
		}
	}
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		http.Error(rw, "The desktop is gone.", http.StatusGone)
		w.gone()
		return
	case p.Unchanged:
		rw.WriteHeader(http.StatusNoContent)
		return
	}
	rw.Header().Set("Content-Type", p.MediaType)
	rw.Header().Set("Deskhand-Frame", strconv.FormatUint(p.Frame, 10))
	rw.Write(p.Data)
}
