package stack

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
)

// panelColour is the panel's background.
const panelColour = 0xE9EDF1

//go:embed files/tint2rc
var panelText string

// Panel is where the panel and its launchers are, in pixels of the display. It
// lies at the bottom, over the full width.
type Panel struct {
	Height int
	Icon   int // side of a launcher
	Gap    int // before the first launcher, and between launchers
}

// PanelOf returns the panel of a display: 44 pixels high on one of 800, more
// on taller ones, so that it keeps its share of a scaled-down screenshot.
func PanelOf(size deskhand.Size, scale int) Panel {
	height := max(44*max(scale, 1), (size.H*55/1000)&^1)
	return Panel{Height: height, Icon: height - height/4&^1, Gap: height / 6}
}

// Launcher returns the middle of the n-th launcher, from 0.
func (p Panel) Launcher(size deskhand.Size, n int) deskhand.ScreenPoint {
	return deskhand.ScreenPoint{X: p.Gap + n*(p.Icon+p.Gap) + p.Icon/2, Y: size.H - p.Height/2}
}

// paintLimit bounds the wait for a mapped panel to be seen. What lies over it,
// such as a window that fills the display, is no reason to call it broken.
const paintLimit = 2 * time.Second

// awaitPaint returns when the panel can be seen on the display: between a
// window's being mapped and its first picture lie the program that draws it
// and the window manager that composes it.
func (s *Stack) awaitPaint(ctx context.Context, d desktop.Desktop) error {
	ctx, cancel := context.WithTimeout(ctx, paintLimit)
	defer cancel()
	x, y := 1, s.config.Size.H-PanelOf(s.config.Size, s.config.Scale).Height/2
	spot := desktop.Shot{Region: deskhand.ScreenRect{X0: x, Y0: y, X1: x + 1, Y1: y + 1}, Format: desktop.PNG}
	for {
		p, err := d.Screen(ctx, spot)
		if err == nil {
			var img image.Image
			if img, err = png.Decode(bytes.NewReader(p.Data)); err == nil && is(img.At(0, 0), panelColour) {
				return nil
			}
		}
		if err == nil {
			_, err = d.Settle(ctx, desktop.Wait{Since: p.Frame, First: paintLimit, Quiet: time.Millisecond, Limit: paintLimit})
		}
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func is(c color.Color, want uint32) bool {
	r, g, b, _ := c.RGBA()
	return r>>8<<16|g>>8<<8|b>>8 == want
}

// writePanel writes the panel's configuration, its launchers and their icons
// below dir and returns the path of the configuration.
func writePanel(dir string, c Config, programs []installed, bin string) (string, error) {
	panel := PanelOf(c.Size, c.Scale)
	data := struct {
		Panel
		TaskWidth, Inset, FontSize int
		Colour                     string
		Launchers                  []string
	}{panel, panel.Height * 5, (panel.Height - panel.Icon) / 2, panel.Height * 10 / 44, fmt.Sprintf("#%06X", panelColour), nil}
	for _, l := range Looks() {
		p, ok := first(programs, l.Kind)
		if !ok {
			continue
		}
		path, err := writeLauncher(dir, l, p, panel.Icon, bin)
		if err != nil {
			return "", err
		}
		data.Launchers = append(data.Launchers, path)
	}
	t, err := template.New("tint2rc").Parse(panelText)
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	if err := t.Execute(&out, data); err != nil {
		return "", err
	}
	path := filepath.Join(dir, "tint2rc")
	return path, os.WriteFile(path, out.Bytes(), 0o600)
}

// writeLauncher writes the icon and the .desktop file of p and returns the
// path of the latter.
func writeLauncher(dir string, l Look, p installed, side int, bin string) (string, error) {
	picture, err := icon(l, side)
	if err != nil {
		return "", err
	}
	shown := filepath.Join(dir, "icons", string(l.Kind)+".png")
	entry := filepath.Join(dir, "applications", "deskhand-"+string(l.Kind)+".desktop")
	command := make([]string, 0, 1+len(p.open))
	for _, arg := range append([]string{p.command(bin)}, p.open...) {
		command = append(command, quoteExec(arg))
	}
	text := fmt.Sprintf("[Desktop Entry]\nType=Application\nName=%s\nExec=%s\nIcon=%s\nTerminal=false\n", l.Label, strings.Join(command, " "), shown)
	for path, data := range map[string][]byte{shown: picture, entry: []byte(text)} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return "", err
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return "", err
		}
	}
	return entry, nil
}

// quoteExec quotes one argument of an Exec key as the Desktop Entry
// Specification says: for its own parser first, for the key's value second.
func quoteExec(arg string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+:=@,", r)
	}
	arg = strings.ReplaceAll(arg, "%", "%%")
	if arg != "" && strings.IndexFunc(arg, func(r rune) bool { return !plain(r) && r != '%' }) < 0 {
		return arg
	}
	quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "`", "\\`", `$`, `\$`).Replace(arg)
	return `"` + strings.ReplaceAll(quoted, `\`, `\\`) + `"`
}
