package bwrap

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/deskhand/deskhand/internal/inside"
)

// system shows the machine's programs and libraries, read-only.
func (w *walls) system() {
	w.add("--ro-bind", "/usr", "/usr")
	for _, dir := range []string{"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"} {
		info, err := os.Lstat(dir)
		switch {
		case err != nil:
		case info.Mode()&os.ModeSymlink != 0:
			if to, err := os.Readlink(dir); err == nil {
				w.add("--symlink", to, dir)
			}
		default:
			w.add("--ro-bind", dir, dir)
		}
	}
	for _, pattern := range opt {
		dirs, _ := filepath.Glob(pattern) // the patterns are constants
		for _, dir := range dirs {
			w.add("--ro-bind-try", dir, dir)
		}
	}
}

// opt are the programs outside /usr that a desktop is expected to have. The
// rest of /opt stays out: what lies there can be anything.
var opt = []string{"/opt/google/chrome*", "/opt/brave.com", "/opt/microsoft/msedge*", "/opt/vivaldi", "/opt/firefox*", "/opt/libreoffice*"}

// etc are the parts of /etc that programs need and that hold no secret, with
// why. Everything else of it stays out.
var etc = []struct{ why, names string }{
	{"finding libraries and programs", "ld.so.cache ld.so.conf ld.so.conf.d alternatives"},
	{"fonts, widgets and desktop defaults", "fonts gtk-2.0 gtk-3.0 gtk-4.0 xdg X11 dconf dbus-1 at-spi2 pulse alsa asound.conf"},
	{"drawing", "glvnd vulkan OpenCL drirc egl"},
	{"trusting web sites", "ssl/certs ssl/openssl.cnf ca-certificates ca-certificates.conf pki/tls/certs pki/ca-trust/extracted crypto-policies"},
	{"browsers' defaults, without their policies, which are for the person's browsers", "chromium/master_preferences chromium/initial_preferences chromium.d firefox-esr/*.js firefox/*.js"},
	{"office, printing to files, pictures", "libreoffice papersize paperspecs ghostscript ImageMagick-6 ImageMagick-7 gimp cups/client.conf"},
	{"languages", "java java-8-openjdk java-11-openjdk java-17-openjdk java-21-openjdk perl python3* emacs groff"},
	{"editors, shells and terminals", "bash.bashrc profile inputrc nanorc vim terminfo shells"},
	{"kinds of files, words, names of services", "mime.types mailcap magic magic.mime dictionaries-common services protocols rpc host.conf"},
	{"time, language and release", "localtime timezone locale.alias locale.conf os-release lsb-release debian_version"},
}

// configuration makes /etc: what is listed, and files of our own for names,
// which on the host would tell of its users and its network.
func (w *walls) configuration() {
	w.folders("/etc", "/etc/ssl")
	for _, group := range etc {
		for _, name := range strings.Fields(group.names) {
			w.etc(filepath.Join("/etc", name))
		}
	}
	w.file("/etc/passwd", "root:x:0:0:root:/root:/usr/sbin/nologin\nuser:x:1000:1000:user:"+Home+":/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n")
	w.file("/etc/group", "root:x:0:\nuser:x:1000:\nnogroup:x:65534:\n")
	w.file("/etc/hosts", "127.0.0.1 localhost desk\n::1 localhost ip6-localhost\n")
	w.file("/etc/hostname", "desk\n")
	w.file("/etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\nprotocols: files\nrpc: files\n")
	w.file("/etc/resolv.conf", "")
	w.file("/etc/machine-id", machineID()+"\n")
	w.add("--symlink", "/proc/self/mounts", "/etc/mtab")
}

// folders makes empty directories that all may read.
func (w *walls) folders(paths ...string) {
	for _, path := range paths {
		w.add("--perms", "0755", "--dir", path)
	}
}

// etc shows what matches pattern. A symbolic link stays one when it leads into
// /usr; where it leads elsewhere its target is shown in its place.
func (w *walls) etc(pattern string) {
	paths, _ := filepath.Glob(pattern) // the patterns are constants
	for _, path := range paths {
		to, err := os.Readlink(path)
		if err == nil && strings.HasPrefix(filepath.Join("/etc", to), "/usr/") || strings.HasPrefix(to, "/usr/") {
			w.add("--symlink", to, path)
			continue
		}
		w.add("--ro-bind-try", path, path)
	}
}

// machineID returns a random identity in the form of /etc/machine-id.
func machineID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}

// memory returns a file that exists in memory only.
func memory(content string) (*os.File, error) {
	fd, err := unix.MemfdCreate("deskhand", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	f := os.NewFile(uintptr(fd), "memory")
	if _, err := f.WriteString(content); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if _, err := f.Seek(0, 0); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// environment sets the whole environment inside.
func (w *walls) environment(c Config) {
	w.add("--clearenv")
	locale := localeOf(value(c.Environ, "LC_ALL"), value(c.Environ, "LC_CTYPE"), value(c.Environ, "LANG"))
	vars := []string{
		"PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/games:/usr/games:/run/deskhand",
		"HOME=" + Home, "USER=user", "LOGNAME=user", "SHELL=/bin/bash", "LANG=" + locale,
		"XDG_RUNTIME_DIR=" + Runtime, "XDG_DATA_DIRS=/usr/local/share:/usr/share", "XDG_CONFIG_DIRS=/etc/xdg",
	}
	for _, name := range []string{"TZ", "TERM"} {
		if v := value(c.Environ, name); plain(v) {
			vars = append(vars, name+"="+v)
		}
	}
	for _, v := range slices.Concat(vars, inside.ProxyEnv(c.Proxy), c.Env) {
		name, val, _ := strings.Cut(v, "=")
		w.add("--setenv", name, val)
	}
}

// plain reports whether v is a short word without anything that could mean
// more than a name.
func plain(v string) bool {
	return v != "" && len(v) < 64 && strings.Trim(v, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-_./:,") == "" && !strings.Contains(v, "..")
}

func value(env []string, name string) string {
	for _, e := range slices.Backward(env) {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			return v
		}
	}
	return ""
}

// localeOf returns the first of wanted that is set, when it is a UTF-8 locale
// that this machine has; else C.UTF-8, which every C library has.
func localeOf(wanted ...string) string {
	const fallback = "C.UTF-8"
	for _, name := range wanted {
		if name == "" {
			continue
		}
		base, charset, _ := strings.Cut(name, ".")
		if plain(name) && !strings.Contains(name, "/") && slices.Contains([]string{"utf-8", "utf8"}, strings.ToLower(charset)) && installed(base+".utf8") {
			return name
		}
		break
	}
	return fallback
}

// installed reports whether the C library has the locale, as a directory or in
// its archive, whose names stand near its beginning.
func installed(name string) bool {
	if _, err := os.Stat(filepath.Join("/usr/lib/locale", name)); err == nil {
		return true
	}
	f, err := os.Open("/usr/lib/locale/locale-archive")
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, 1<<20)
	n, _ := f.Read(head) // what was read is what is searched
	return strings.Contains(string(head[:n]), "\x00"+name+"\x00")
}
