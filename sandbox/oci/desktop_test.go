package oci_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	desktopremote "github.com/deskhand/deskhand/desktop/remote"
	"github.com/deskhand/deskhand/guest/stack"
	"github.com/deskhand/deskhand/sandbox/oci"
)

// TestDesktop brings a desktop up in a container and types into a terminal on it.
// The programs are those of this machine, in the smallest image.
func TestDesktop(t *testing.T) {
	t.Parallel()
	drive(t, config(rig.use(t)))
}

// TestImage does the same in the image that "make image" made, with the engine of
// DESKHAND_TEST_ENGINE, and looks for the programs that the image promises.
func TestImage(t *testing.T) {
	t.Parallel()
	image := os.Getenv("DESKHAND_TEST_IMAGE")
	if image == "" {
		t.Skip("DESKHAND_TEST_IMAGE names no image: make test-oci builds one and runs this")
	}
	s := drive(t, oci.Config{Engine: strings.Fields(os.Getenv("DESKHAND_TEST_ENGINE")), Image: image, Environ: os.Environ()})
	if out := sh(t, s, "for p in chromium firefox-esr soffice mousepad pcmanfm galculator atril deskhand; do command -v $p >/dev/null || echo missing $p; done; find / -xdev -perm /6000 -type f 2>/dev/null"); out != "" {
		t.Errorf("in the image: %s", out)
	}
	// With its own walls: no --no-sandbox.
	if out := sh(t, s, "timeout 60 chromium --headless=new --dump-dom 'data:text/html,<p>canary' 2>/dev/null"); !strings.Contains(out, "<p>canary") {
		t.Errorf("chromium says %q", out)
	}
}

func drive(t *testing.T, c oci.Config) *oci.Sandbox {
	t.Helper()
	size := deskhand.Size{W: 1024, H: 768}
	c.Stack = stack.Config{Size: size, Scale: 1, Home: oci.Home, RuntimeDir: oci.Runtime, LogDir: oci.Logs, Locale: "C.UTF-8"}
	s := start(t, c)
	const limit = 90 * time.Second
	if h, err := s.Health(t.Context(), limit, -1); err != nil || !h.Ready {
		t.Fatalf("the desktop is not ready: %+v, %v", h, err)
	}
	d := desktopremote.New(s.HTTP(), "")
	defer d.Close()
	if got, err := d.Size(t.Context()); err != nil || got != size {
		t.Errorf("the display has %v, %v", got, err)
	}
	if _, err := s.Exec(t.Context(), command("xterm", "-e", "cat >"+oci.Home+"/typed")); err != nil {
		t.Fatal(err)
	}
	within(t, "the terminal's window", func() bool {
		all, err := d.Windows(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range all {
			if w.Focused {
				return true
			}
		}
		return false
	})
	if err := d.Input(t.Context(), desktop.Action{Kind: desktop.Type, Text: "canary\n"}); err != nil {
		t.Fatal(err)
	}
	within(t, "what was typed", func() bool { return sh(t, s, "cat ~/typed") == "canary\n" })
	return s
}
