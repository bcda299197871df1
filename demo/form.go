package demo

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"html/template"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Order is what the form receives.
type Order struct {
	Name     string `json:"name"`
	Quantity int    `json:"quantity"`
	Pickup   string `json:"pickup"` // "post" or "shop"
	Gift     bool   `json:"gift"`
	Remarks  string `json:"remarks"`
}

// Number returns the confirmation number the page shows. It depends on every value.
func (o Order) Number() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %d %q %t %q", o.Name, o.Quantity, o.Pickup, o.Gift, o.Remarks))
	return fmt.Sprintf("DH-%X", sum[:3])
}

// file is the order as it is kept.
func (o Order) file() []byte {
	data, err := json.MarshalIndent(o, "", "  ")
	if err != nil {
		panic(err) // unreachable: strings, a number and a truth
	}
	return append(data, '\n')
}

//go:embed form.html
var page string

// maxForm bounds a submitted form in bytes.
const maxForm = 16 << 10

// Form serves the order form and hands each valid order to save.
func Form(save func(Order) error) http.Handler {
	show := template.Must(template.New("form").Parse(page))
	mux := http.NewServeMux()
	render := func(w http.ResponseWriter, status int, data any) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'")
		w.WriteHeader(status)
		show.Execute(w, data) // the connection may be gone; nobody is left to tell
	}
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { render(w, http.StatusOK, nil) })
	mux.HandleFunc("POST /order", func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		order, err := parse(r)
		if err != nil {
			render(w, http.StatusUnprocessableEntity, map[string]any{"Problem": err.Error()})
			return
		}
		if err := save(order); err != nil {
			render(w, http.StatusInternalServerError, map[string]any{"Problem": "The order could not be kept."})
			return
		}
		render(w, http.StatusOK, map[string]any{"Order": order})
	})
	return mux
}

func parse(r *http.Request) (Order, error) {
	if err := r.ParseForm(); err != nil {
		return Order{}, errors.New("the form could not be read")
	}
	quantity, err := strconv.Atoi(r.PostFormValue("quantity"))
	if err != nil || quantity < 1 || quantity > 99 {
		return Order{}, errors.New("the quantity must be a number from 1 to 99")
	}
	o := Order{
		Name: r.PostFormValue("name"), Quantity: quantity, Pickup: r.PostFormValue("pickup"),
		Gift: r.PostFormValue("gift") == "yes", Remarks: strings.ReplaceAll(r.PostFormValue("remarks"), "\r\n", "\n"),
	}
	if strings.TrimSpace(o.Name) == "" {
		return Order{}, errors.New("the name is missing")
	}
	if o.Pickup != "post" && o.Pickup != "shop" {
		return Order{}, errors.New("choose how the order reaches you")
	}
	return o, nil
}

// Serve runs the form until it is told to stop: `form --listen ADDR --out FILE`.
// It prints its address when it is ready and returns an exit status.
func Serve(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("form", flag.ContinueOnError)
	flags.SetOutput(stderr)
	listen := flags.String("listen", "127.0.0.1:8090", "address to listen on")
	out := flags.String("out", "", "file that receives the newest order as JSON")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if *out == "" || flags.NArg() > 0 {
		fmt.Fprintln(stderr, "form: --out FILE is needed and nothing else may follow")
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", *listen)
	if err != nil {
		fmt.Fprintf(stderr, "form: cannot listen on %s: choose another --listen\n", *listen)
		return 1
	}
	fmt.Fprintf(stdout, "The order form is at http://%s/\n", ln.Addr())
	if err := serve(ctx, ln, Form(func(o Order) error { return keep(*out, o) })); err != nil {
		fmt.Fprintln(stderr, "form:", err)
		return 1
	}
	return 0
}

// formShutdown bounds how long open requests may take at the end.
const formShutdown = 2 * time.Second

func serve(ctx context.Context, ln net.Listener, h http.Handler) error {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ln) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), formShutdown)
	defer cancel()
	err := srv.Shutdown(bounded)
	<-ended // Serve has returned: http.ErrServerClosed
	return err
}

// keep writes the order so that a reader sees all of it or none.
func keep(path string, o Order) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".order-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // gone already when the rename succeeded
	_, err = tmp.Write(o.file())
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
