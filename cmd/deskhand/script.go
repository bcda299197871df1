package main

import (
	"context"
	"crypto/rand"

	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/model/claude"
	"github.com/deskhand/deskhand/model/script"
)

// serveScript plays a script on this machine's loopback until the app is
// closed, and returns how to reach it. The real client speaks to it, so that a
// script goes the way a model goes.
func serveScript(a *app, s scriptFile, models model.Catalogue) (claude.Config, error) {
	server, err := script.New(s.data, script.Options{Name: s.name, Models: models})
	if err != nil {
		return claude.Config{}, err
	}
	url, stop, err := server.Serve(context.Background())
	if err != nil {
		return claude.Config{}, err
	}
	a.onClose(stop)
	return claude.Config{BaseURL: url, APIKey: rand.Text(), Models: models}, nil // any key will do, but the client blots it out of messages
}
