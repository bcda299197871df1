package sandbox

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
)

// Attend gives a program its whole input, has its output read, and ends
// everything it started as soon as it has ended itself or ctx has. It returns
// when nothing of it is left: how the program ended, and whether it did so by
// itself. out and errs read a stream to its end; both are called once.
func Attend(ctx context.Context, p Process, in []byte, out, errs func(io.Reader)) (exit Exit, ended bool, err error) {
	var streams sync.WaitGroup
	streams.Go(func() { out(p.Stdout()) })
	streams.Go(func() { errs(p.Stderr()) })
	streams.Go(func() { // a program need not read its input
		_, _ = io.Copy(p.Stdin(), bytes.NewReader(in))
		_ = p.Stdin().Close()
	})
	type end struct {
		exit Exit
		err  error
	}
	over := make(chan end, 1)
	streams.Go(func() {
		exit, err := p.Wait()
		over <- end{exit, err}
	})
	select {
	case e := <-over:
		exit, ended, err = e.exit, e.err == nil, e.err
	case <-ctx.Done():
	}
	if err = errors.Join(err, p.Kill()); err == nil { // else something may hold the streams
		streams.Wait()
	}
	return exit, ended, err
}
