package machine

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/deskhand/deskhand/internal/xvfb"
	"github.com/deskhand/deskhand/sandbox"
	"github.com/deskhand/deskhand/sandbox/bwrap"
)

// attackLimit is how long one attack may take on a busy machine.
const attackLimit = 60 * time.Second

// unguarded is an X server as careless programs start it: without a cookie, and
// on the network as well.
func unguarded(t *testing.T) (display string, stop func()) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", "640x480x24", "-listen", "tcp", "-noreset", "-ac")
	cmd.ExtraFiles = []*os.File{w}
	if err := cmd.Start(); err != nil {
		t.Skip("MISSING PROGRAM: Xvfb")
	}
	w.Close()
	stop = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	t.Cleanup(stop)
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return ":" + strings.TrimSpace(line), stop
}

// client runs a program of this machine's on a display, without its cookie.
func client(t *testing.T, display string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), attackLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "DISPLAY=" + display, "XAUTHORITY=/dev/null", "HOME=" + t.TempDir()}
	out, _ := cmd.Output() // what counts is what it got
	return string(out)
}

// TestAttackDisplay: D1 to D6. Programs outside look at a display, move its
// pointer and watch its keyboard: at one that is open, at one of this machine's that has a
// cookie, and at the one of a computer.
func TestAttackDisplay(t *testing.T) {
	t.Parallel()
	own, err := xvfb.Start(t.Context(), xvfb.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(own.Stop)
	m := up(t, Config{})
	inside := strings.TrimSpace(output(t, m, "sh", "-c", "echo $DISPLAY"))
	if !strings.HasPrefix(inside, ":") {
		t.Fatalf("the display inside is %q", inside)
	}
	open, stop := unguarded(t)
	if open == inside { // outside, that number has to be nobody's, or of one with a cookie
		stop()
		taken, err := xvfb.Start(t.Context(), xvfb.Config{Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(taken.Stop)
		open, _ = unguarded(t)
	}
	row := func(name string, without, with bool) {
		t.Helper()
		word := map[bool]string{true: "succeeded", false: "refused"}
		t.Logf("attack\t%-44s\twithout guard: %s\twith guard: %s", name, word[without], word[with])
		if !without || with {
			t.Errorf("%s: without guard %v, with guard %v", name, without, with)
		}
	}
	picture := func(display string) bool {
		return strings.HasPrefix(client(t, display, "import", "-window", "root", "png:-"), "\x89PNG")
	}
	moved := func(display string) bool {
		return strings.Contains(client(t, display, "xdotool", "mousemove", "7", "9", "getmouselocation"), "x:7 y:9")
	}
	watched := func(display string) bool {
		return strings.Contains(client(t, display, "sh", "-c", "cd; timeout 30 stdbuf -oL xev -root -event keyboard >f 2>/dev/null & cd; for i in $(seq 100); do xdotool key a 2>/dev/null; grep -q KeyPress f 2>/dev/null && break; done; kill $!; cat f"), "KeyPress event")
	}
	// The computer's display has a number that this machine may use for another server:
	// then it is that one's cookie that refuses.
	row("D2 a picture from outside", picture(open), picture(inside))
	row("D3 input from outside (XTEST)", moved(open), moved(inside))
	row("D1 the keyboard watched from outside", watched(open), watched(inside))
	row("D4 a picture without a cookie", picture(open), picture(own.Display))
	row("D4 input without a cookie", moved(open), moved(own.Display))

	tcp := func(display string) bool {
		n, _ := strconv.Atoi(strings.TrimPrefix(display, ":"))
		c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", 6000+n), attackLimit)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	}
	row("D6 a display on the network", tcp(open), tcp(own.Display) || tcp(inside))

	// D5: from another sandbox, by the abstract socket and by the path.
	other, err := bwrap.Start(t.Context(), bwrap.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close() })
	script := "import socket,sys\nfor a in ('\\0/tmp/.X11-unix/X'+sys.argv[1], '/tmp/.X11-unix/X'+sys.argv[1]):\n  s = socket.socket(socket.AF_UNIX)\n  try: s.connect(a); s.sendall(b'l\\0\\x0b\\0\\0\\0\\0\\0\\0\\0\\0\\0'); print('reply', s.recv(1))\n  except OSError as e: print(e)\n"
	number := strings.TrimPrefix(open, ":")
	from := func(out string) bool { return strings.Contains(out, "reply b'\\x01'") }
	p, err := other.Exec(t.Context(), sandbox.Cmd{Args: []string{"python3", "-c", script, number}})
	if err != nil {
		t.Fatal(err)
	}
	within, _ := io.ReadAll(p.Stdout())
	row("D5 a display of this machine, from a sandbox", from(client(t, open, "python3", "-c", script, number)), from(string(within)))
}
