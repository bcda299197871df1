// Package keyring reads secrets from the person's keyring, whichever program
// keeps it, over the Secret Service of D-Bus.
//
// It must never unlock a keyring (that is a question to the person, whom nobody
// may be able to ask), change one, or print a value.
//
// Trust: the bus and who answers on it are the person's own. A value crosses the
// bus as it is; whoever may listen there may also ask for it.
package keyring

import (
	"context"
	"errors"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/deskhand/deskhand"
)

const op = "keyring"

// limit bounds a look-up, also when a keyring waits for a person.
const limit = 5 * time.Second

var errLimit = errors.New("the keyring did not answer within " + limit.String())

// Names of the Secret Service.
const (
	service = "org.freedesktop.secrets"
	iface   = "org.freedesktop.Secret."
	root    = dbus.ObjectPath("/org/freedesktop/secrets")
)

// attributes are how an item is found: those that other programs which keep
// passwords by service and user name use too.
func attributes(name string) map[string]string {
	return map[string]string{"service": "deskhand", "username": name}
}

// transfer is the wire form of a value.
type transfer struct {
	Session     dbus.ObjectPath
	Parameters  []byte
	Value       []byte
	ContentType string
}

// Lookup returns the value of a secret from the keyring on the bus at address,
// and whether it has one. Unavailable: there is no bus, no keyring on it, or it
// does not answer; Denied: the keyring is locked.
func Lookup(ctx context.Context, address, name string) (value string, found bool, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errLimit)
	defer cancel()
	conn, err := dbus.Connect(address, dbus.WithContext(ctx))
	if err != nil {
		return "", false, unavailable(ctx, err)
	}
	defer func() { _ = conn.Close() }() // nothing was written that could be lost
	var unlocked, locked []dbus.ObjectPath
	keyring := conn.Object(service, root)
	if err := keyring.CallWithContext(ctx, iface+"Service.SearchItems", 0, attributes(name)).Store(&unlocked, &locked); err != nil {
		return "", false, unavailable(ctx, err)
	}
	switch {
	case len(unlocked) > 0:
	case len(locked) > 0:
		return "", false, deskhand.Errorf(op, deskhand.Denied, "the secret %s is in a keyring that is locked: unlock it and try again", name)
	default:
		return "", false, nil
	}
	var session dbus.ObjectPath
	if err := keyring.CallWithContext(ctx, iface+"Service.OpenSession", 0, "plain", dbus.MakeVariant("")).Store(new(dbus.Variant), &session); err != nil {
		return "", false, unavailable(ctx, err)
	}
	var got transfer
	if err := conn.Object(service, unlocked[0]).CallWithContext(ctx, iface+"Item.GetSecret", 0, session).Store(&got); err != nil {
		return "", false, unavailable(ctx, err)
	}
	return string(got.Value), true, nil
}

func unavailable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return deskhand.E("", deskhand.Unavailable, err)
}
