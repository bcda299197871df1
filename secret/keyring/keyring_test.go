package keyring_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"go.uber.org/goleak"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/secret"
	"github.com/deskhand/deskhand/secret/keyring"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

// bus starts a session bus of its own and returns its address. No service is
// started on it by itself.
func bus(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "bus.conf")
	err := os.WriteFile(config, []byte(`<busconfig><type>session</type><listen>unix:dir=`+dir+`</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("dbus-daemon", "--config-file="+config, "--print-address", "--nofork")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(address)
}

// daemon starts the keyring of GNOME on a bus, unlocked with an empty password,
// and returns a connection to it.
func daemon(t *testing.T, address string) *dbus.Conn {
	t.Helper()
	if _, err := exec.LookPath("gnome-keyring-daemon"); err != nil {
		t.Skip("gnome-keyring is not installed: ", err)
	}
	home := t.TempDir()
	cmd := exec.Command("gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets", "--control-directory="+home)
	cmd.Env = []string{"HOME=" + home, "XDG_RUNTIME_DIR=" + home, "XDG_DATA_HOME=" + home, "DBUS_SESSION_BUS_ADDRESS=" + address, "PATH=" + os.Getenv("PATH")}
	cmd.Stdin = strings.NewReader("\n")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	conn, err := dbus.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	changed := make(chan *dbus.Signal, 16)
	conn.Signal(changed)
	if err := conn.AddMatchSignal(dbus.WithMatchInterface("org.freedesktop.DBus"), dbus.WithMatchMember("NameOwnerChanged")); err != nil {
		t.Fatal(err)
	}
	limit := time.After(patience)
	for {
		var owned bool
		if err := conn.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, "org.freedesktop.secrets").Store(&owned); err != nil {
			t.Fatal(err)
		}
		if owned {
			return conn
		}
		select {
		case <-changed:
		case <-limit:
			t.Fatal("the keyring is not on the bus in time")
		}
	}
}

type wire struct {
	Session     dbus.ObjectPath
	Parameters  []byte
	Value       []byte
	ContentType string
}

// keep puts a value into the keyring, as another program would.
func keep(t *testing.T, conn *dbus.Conn, name, value string) {
	t.Helper()
	object := conn.Object("org.freedesktop.secrets", "/org/freedesktop/secrets")
	var session, item, prompt dbus.ObjectPath
	if err := object.Call("org.freedesktop.Secret.Service.OpenSession", 0, "plain", dbus.MakeVariant("")).Store(new(dbus.Variant), &session); err != nil {
		t.Fatal(err)
	}
	collection := conn.Object("org.freedesktop.secrets", "/org/freedesktop/secrets/aliases/default")
	properties := map[string]dbus.Variant{
		"org.freedesktop.Secret.Item.Label":      dbus.MakeVariant("test"),
		"org.freedesktop.Secret.Item.Attributes": dbus.MakeVariant(map[string]string{"service": "deskhand", "username": name}),
	}
	err := collection.Call("org.freedesktop.Secret.Collection.CreateItem", 0, properties, wire{session, []byte{}, []byte(value), "text/plain"}, true).Store(&item, &prompt)
	if err != nil || item == "/" {
		t.Fatalf("item %s, prompt %s: %v", item, prompt, err)
	}
}

// lock locks everything.
func lock(t *testing.T, conn *dbus.Conn) {
	t.Helper()
	err := conn.Object("org.freedesktop.secrets", "/org/freedesktop/secrets").
		Call("org.freedesktop.Secret.Service.Lock", 0, []dbus.ObjectPath{"/org/freedesktop/secrets/aliases/default"}).Err
	if err != nil {
		t.Fatal(err)
	}
}

// TestKeyring plays with a real keyring: what is there, what is not, and locked.
func TestKeyring(t *testing.T) {
	t.Parallel()
	address := bus(t)
	conn := daemon(t, address)
	keep(t, conn, "mail", "from-ring ü")
	if value, found, err := keyring.Lookup(t.Context(), address, "mail"); err != nil || !found || value != "from-ring ü" {
		t.Errorf("%v, %v", found, err)
	}
	if value, found, err := keyring.Lookup(t.Context(), address, "other"); err != nil || found || value != "" {
		t.Errorf("what is not there: %v, %v", found, err)
	}
	lock(t, conn)
	if value, found, err := keyring.Lookup(t.Context(), address, "mail"); deskhand.CodeOf(err) != deskhand.Denied || found || value != "" || !strings.Contains(err.Error(), "mail is in a keyring that is locked") {
		t.Errorf("locked: %v, %v", found, err)
	}
}

// TestOrder: the keyring comes before the file, and that before the environment;
// a keyring that is locked is not passed over, one that is not there is.
func TestOrder(t *testing.T) {
	t.Parallel()
	address := bus(t)
	conn := daemon(t, address)
	file := filepath.Join(t.TempDir(), "secrets.json")
	if err := os.WriteFile(file, []byte(`{"first": {"value": "file-1", "for": ["window:xterm"]}, "second": {"value": "file-2"}, "third": {"for": ["window:xterm"]}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	from := secret.Sources{File: file, Env: func(name string) string { return "env-" + name }, Keyring: func(ctx context.Context, name string) (string, bool, error) {
		return keyring.Lookup(ctx, address, name)
	}}
	keep(t, conn, "first", "ring-1")
	s, err := from.Load(t.Context(), "first", "second", "third", "fourth")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"first": "ring-1", "second": "file-2", "third": "env-DESKHAND_SECRET_THIRD", "fourth": "env-DESKHAND_SECRET_FOURTH"} {
		parts, into, err := s.Fill("{{secret:" + name + "}}")
		if err != nil || parts[0].Text != want || (name == "first" || name == "third") != (len(into) == 1) {
			t.Errorf("%s: %d places, %v", name, len(into), err)
		}
	}
	lock(t, conn)
	if _, err := from.Load(t.Context(), "first"); deskhand.CodeOf(err) != deskhand.Denied {
		t.Errorf("locked: %v", err)
	}
	nobody := bus(t)
	from.Keyring = func(ctx context.Context, name string) (string, bool, error) { return keyring.Lookup(ctx, nobody, name) }
	if s, err = from.Load(t.Context(), "first"); err != nil || s.Mask("file-1") != "{{secret:first}}" {
		t.Errorf("no keyring on the bus: %v", err)
	}
	from.Env = func(string) string { return "" }
	if _, err := from.Load(t.Context(), "fifth"); deskhand.CodeOf(err) != deskhand.NotFound || !strings.Contains(err.Error(), "the keyring was not asked") {
		t.Errorf("nowhere: %v", err)
	}
}

// TestNobodyAnswers: no bus, and a bus on which nothing is.
func TestNobodyAnswers(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "nonsense", "unix:path=" + filepath.Join(t.TempDir(), "none"), bus(t)} {
		if value, found, err := keyring.Lookup(t.Context(), address, "mail"); deskhand.CodeOf(err) != deskhand.Unavailable || found || value != "" {
			t.Errorf("%q: %v, %v", address, found, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := keyring.Lookup(ctx, bus(t), "mail"); deskhand.CodeOf(err) != deskhand.Unavailable {
		t.Errorf("canceled: %v", err)
	}
}
