package stack

import (
	_ "embed"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/deskhand/deskhand/internal/xvfb"
)

//go:embed files/Xresources
var resourcesText string

// resources are the X resources of a display of this magnification.
func resources(scale int) string {
	return fmt.Sprintf("Xft.dpi: %d\n%s", dpi*scale, strings.ReplaceAll(resourcesText, "Xcursor.size: 24", "Xcursor.size: "+strconv.Itoa(24*scale)))
}

// Env returns what programs need to reach the display and to look right on it,
// as NAME=value. While an X server is started again DISPLAY is that of the last
// one; it is missing before the first and after the end.
func (s *Stack) Env() []string {
	s.mu.Lock()
	d := s.display
	s.mu.Unlock()
	return s.env(d)
}

func (s *Stack) env(d display) []string {
	c := s.config
	env := []string{
		"HOME=" + c.Home,
		"PATH=" + s.path(),
		"XDG_RUNTIME_DIR=" + c.RuntimeDir,
		"XDG_SESSION_TYPE=x11",
		"DBUS_SESSION_BUS_ADDRESS=unix:path=" + s.files.bus,
		"LANG=" + c.Locale,
		"GSETTINGS_BACKEND=keyfile",
		"GDK_BACKEND=x11",
		"QT_QPA_PLATFORM=xcb",
		"LIBGL_ALWAYS_SOFTWARE=1",
		"NO_AT_BRIDGE=1", // no accessibility bus is started for every program
		"MOZ_CRASHREPORTER_DISABLE=1",
		"XCURSOR_THEME=Adwaita",
		"XCURSOR_SIZE=" + strconv.Itoa(24*c.Scale),
	}
	if c.Scale > 1 {
		// GTK 3 magnifies by GDK_SCALE and takes its fonts' size from Xft.dpi,
		// which would magnify those twice.
		env = append(env, "GDK_SCALE="+strconv.Itoa(c.Scale), fmt.Sprintf("GDK_DPI_SCALE=%.4g", 1/float64(c.Scale)))
	}
	if d.name != "" {
		env = append(env, "DISPLAY="+d.name, "XAUTHORITY="+d.authority)
	}
	return env
}

// path is PATH with the wrappers first.
func (s *Stack) path() string {
	return strings.Join(slices.Concat([]string{s.files.bin}, s.config.ProgramDir), string(os.PathListSeparator))
}

// inherited are the variables of this process that the programs of the stack
// get: who they run as, the time zone, and the way out, where there is one.
var inherited = [...]string{
	"TZ", "USER", "LOGNAME", "SHELL",
	"http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "NODE_USE_ENV_PROXY",
}

// environment is what the programs of the stack get.
func (s *Stack) environment(server *xvfb.Server) []string {
	env := s.env(display{name: server.Display, authority: server.Authority})
	for _, name := range inherited {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}
