package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/deskhand/deskhand/sandbox"
)

const programLimit = 60 * time.Second // for a program to say where it listens

// program is a program inside the sandbox that says in one line where it is.
type program struct {
	sandbox.Process
	drained sync.WaitGroup
}

// launch starts a program and returns what follows mark in its first line that
// has it.
func launch(ctx context.Context, sb sandbox.Sandbox, mark string, args ...string) (*program, string, error) {
	p, err := sb.Exec(ctx, sandbox.Cmd{Args: args})
	if err != nil {
		return nil, "", err
	}
	prog := &program{Process: p}
	found := make(chan string, 2)
	for _, r := range []io.Reader{p.Stdout(), p.Stderr()} {
		prog.drained.Go(func() {
			lines := bufio.NewScanner(r)
			for said := false; lines.Scan(); {
				if _, after, ok := strings.Cut(lines.Text(), mark); ok && !said {
					found <- after
					said = true
				}
			}
			_, _ = io.Copy(io.Discard, r) // after a line too long
		})
	}
	timer := time.NewTimer(programLimit)
	defer timer.Stop()
	select {
	case text := <-found:
		return prog, text, nil
	case <-timer.C:
		err = fmt.Errorf("%s does not say where it listens within %s", args[0], programLimit)
	case <-ctx.Done():
		err = ctx.Err()
	}
	return nil, "", errors.Join(err, prog.stop())
}

func (p *program) stop() error {
	err := p.Kill()
	p.drained.Wait()
	return err
}

// browser is Chromium over the whole screen, with DevTools.
type browser struct {
	*devtools
	program *program
}

// chromiumFlags keep everything but the page off the screen.
var chromiumFlags = []string{
	"--kiosk", "--no-first-run", "--no-default-browser-check", "--disable-background-networking", "--disable-component-update",
	"--disable-sync", "--disable-default-apps", "--disable-gpu", "--disable-smooth-scrolling", "--noerrdialogs",
	"--password-store=basic", "--use-mock-keychain", "--disable-features=Translate,MediaRouter,OptimizationHints",
	"--remote-debugging-port=0",
}

func openBrowser(ctx context.Context, sb sandbox.Sandbox, scale int) (*browser, error) {
	args := append([]string{"chromium"}, chromiumFlags...)
	args = append(args, "--user-data-dir=/tmp/fidelity-"+strconv.Itoa(scale), "--force-device-scale-factor="+strconv.Itoa(scale), "about:blank")
	p, url, err := launch(ctx, sb, "DevTools listening on ws://", args...)
	if err != nil {
		return nil, err
	}
	address, _, _ := strings.Cut(url, "/")
	d, err := dialPage(ctx, sb, address)
	if err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return &browser{d, p}, nil
}

func (b *browser) close() error {
	return errors.Join(b.devtools.close(), b.program.stop())
}
