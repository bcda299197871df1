package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/secret"
	"github.com/deskhand/deskhand/secret/guard"
	"github.com/deskhand/deskhand/secret/keyring"
	"github.com/deskhand/deskhand/store"
)

// secretsFile is in the state directory; docs/secrets.md has its form.
const secretsFile = "secrets.json"

// secrets loads the secrets that are wanted, as NAME or NAME=PLACE.
func (a *app) secrets(ctx context.Context, wanted []string) (*secret.Set, error) {
	dir, err := a.homePath()
	if err != nil {
		return nil, err
	}
	from := secret.Sources{File: filepath.Join(dir, secretsFile), Env: a.env, Keyring: a.keyring()}
	set, err := from.Load(ctx, wanted...)
	if err != nil {
		return nil, usage("%s", err)
	}
	return set, nil
}

// keyring returns how the person's keyring is asked; nil when there is no session
// bus that it could be on. None is started.
func (a *app) keyring() func(context.Context, string) (string, bool, error) {
	address := a.env("DBUS_SESSION_BUS_ADDRESS")
	if address == "" {
		socket := filepath.Join(a.env("XDG_RUNTIME_DIR"), "bus") // where systemd has it
		if info, err := os.Stat(socket); err != nil || !filepath.IsAbs(socket) || info.Mode().Type() != os.ModeSocket {
			return nil
		}
		address = "unix:path=" + socket
	}
	return func(ctx context.Context, name string) (string, bool, error) {
		return keyring.Lookup(ctx, address, name)
	}
}

// secrets settles what is kept from the model, and what it is told of that.
func (c *runCmd) secrets(ctx context.Context, a *app, p *plan) (err error) {
	p.secrets, err = a.secrets(ctx, c.Secret)
	p.task.Secrets = p.secrets.Wanted()
	p.task.System = strings.TrimSpace(p.task.System + "\n\n" + guard.Listing(p.secrets))
	return err
}

// typing returns how texts with secrets are typed; nil when there are none.
func typing(s *secret.Set) func(string) ([]desktop.Action, error) {
	if len(s.Names()) == 0 {
		return nil
	}
	return guard.Typing(s)
}

// openMasked opens the journal with a task's secrets kept out of it; nil when
// there are none, and it can be opened later.
func (a *app) openMasked(ctx context.Context, p plan) (store.Store, error) {
	if len(p.secrets.Names()) == 0 {
		return nil, nil
	}
	if err := guard.Fits(p.task, p.secrets); err != nil {
		return nil, usage("%s", err)
	}
	st, err := a.openStore(ctx)
	if err != nil {
		return nil, err
	}
	return guard.Store(st, p.secrets), nil
}
