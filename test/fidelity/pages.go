package main

import (
	"context"
	"embed"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os/signal"
	"syscall"
	"time"
)

//go:embed own
var ownPages embed.FS

// pagesCommand is the name under which this program serves pages.
const pagesCommand = "pages"

// miniwobInside is where the public pages are visible inside the sandbox.
const miniwobInside = "/run/fidelity/pages"

const pagesShutdown = 2 * time.Second

// servePages serves our own pages below /own/ and those of a folder below
// /miniwob/, on a free port of the loopback inside. It prints its address and
// returns when it is told to stop.
func servePages(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet(pagesCommand, flag.ContinueOnError)
	flags.SetOutput(stderr)
	dir := flags.String("dir", "", "folder with further pages")
	if err := flags.Parse(args); err != nil {
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT)
	defer stop()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(stderr, "pages:", err)
		return exitFailed
	}
	own, err := fs.Sub(ownPages, "own")
	if err != nil {
		panic(err) // unreachable: the name is constant
	}
	mux := http.NewServeMux()
	mux.Handle("/own/", http.StripPrefix("/own/", http.FileServerFS(own)))
	if *dir != "" {
		mux.Handle("/miniwob/", http.StripPrefix("/miniwob/", http.FileServer(http.Dir(*dir))))
	}
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ln) }()
	fmt.Fprintf(stdout, "http://%s\n", ln.Addr())
	select {
	case err := <-ended:
		fmt.Fprintln(stderr, "pages:", err)
		return exitFailed
	case <-ctx.Done():
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), pagesShutdown)
	defer cancel()
	_ = srv.Shutdown(bounded) // the browser may hold connections; the process ends anyway
	<-ended
	return exitPassed
}
