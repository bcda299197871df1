package bwrap_test

import (
	"strings"
	"testing"

	"github.com/deskhand/deskhand/sandbox/bwrap"
)

// TestPrograms runs the programs of a desktop inside: what they need of the
// machine must be there, their own walls included.
func TestPrograms(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ script, want string }{
		"fonts":    {"fc-match 'sans:lang=ja' family; fc-list | wc -l", "CJK"},
		"perl":     {`perl -MPOSIX -e 'print "ok\n"'`, "ok"},
		"python":   {"python3 -c 'import ssl; print(len(ssl.create_default_context().get_ca_certs()) > 50)'", "True"},
		"locale":   {"printf 'é' | wc -m", "1"},
		"names":    {"getent passwd user; getent hosts localhost", "user:x:1000"},
		"chromium": {"chromium --headless --disable-gpu --no-first-run --dump-dom 'data:text/html,<p id=a></p><script>a.textContent=6*7</script>' 2>&1", ">42<"},
		"firefox":  {"echo '<body bgcolor=red>' >f.html; firefox-esr --headless --screenshot ~/f.png file://$HOME/f.html 2>&1; file f.png", "PNG image data"},
		"desktop": {`Xvfb -displayfd 3 -screen 0 640x480x24 -nolisten tcp 3>num 2>xvfb.log &
until [ -s num ]; do sleep 0.02; done; export DISPLAY=:$(cat num)
eval $(dbus-launch --sh-syntax); timeout 60 mutter --x11 2>mutter.log &
until xprop -root _NET_SUPPORTING_WM_CHECK 2>/dev/null | grep '#'; do kill -0 $! || break; sleep 0.02; done
xterm & until xwininfo -root -tree | grep '"xterm"'; do sleep 0.02; done
ls /tmp/.X11-unix; cat *.log; kill $(jobs -p)`, "XTerm"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, bwrap.Config{})
			if out := sh(t, s, c.script); !strings.Contains(out, c.want) {
				t.Errorf("got %s\nwant %q", out, c.want)
			}
		})
	}
}
