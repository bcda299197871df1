package machine

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/deskhand/deskhand"
)

// directories are those of one computer on the host.
type directories struct {
	home, logs string
	runtime    string   // for None: a short path outside Dir, since sockets need one
	ours       []string // removed at the end
}

// makeDirectories makes what c does not name.
func makeDirectories(c Config) (*directories, error) {
	d := &directories{}
	err := d.make(c)
	if err != nil {
		return nil, errors.Join(err, d.remove())
	}
	return d, nil
}

func (d *directories) make(c Config) error {
	dir := c.Dir
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "deskhand-"); err != nil {
			return deskhand.Errorf("", deskhand.Unavailable, "no private directory can be made: %w", err)
		}
		d.own(c, dir)
	} else if !filepath.IsAbs(dir) {
		return deskhand.Errorf("", deskhand.Invalid, "the computer's directory %q is not an absolute path", dir)
	}
	if d.logs = filepath.Join(dir, "log"); c.Logs != "" {
		if !isAbsoluteDirectory(c.Logs) {
			return deskhand.Errorf("", deskhand.Invalid, "the log directory %q is not an existing directory with an absolute path", c.Logs)
		}
		d.logs = c.Logs
	}
	if c.Home == Private {
		d.home = filepath.Join(dir, "home")
	} else if !isAbsoluteDirectory(c.Home) {
		return deskhand.Errorf("", deskhand.Invalid, "the home %q is not an existing directory with an absolute path", c.Home)
	} else {
		d.home = c.Home
	}
	for _, path := range []string{dir, d.logs, d.home} {
		if err := os.MkdirAll(path, 0o700); err != nil {
			return deskhand.Errorf("", deskhand.Unavailable, "the computer's directory cannot be made: %w", err)
		}
	}
	if c.Dir != "" {
		if c.Logs == "" {
			d.own(c, d.logs)
		}
		if c.Home == Private {
			d.own(c, d.home)
		}
	}
	return d.makeRuntime(c)
}

// makeRuntime makes the runtime directory, which only None needs.
func (d *directories) makeRuntime(c Config) error {
	if c.Driver != None {
		return nil
	}
	var err error
	if d.runtime, err = os.MkdirTemp("", "deskhand-run-"); err != nil {
		return deskhand.Errorf("", deskhand.Unavailable, "no runtime directory can be made: %w", err)
	}
	d.ours = append(d.ours, d.runtime)
	return nil
}

func isAbsoluteDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir() && filepath.IsAbs(path)
}

// own notes that path is removed at the end, unless it is to be kept.
func (d *directories) own(c Config, path string) {
	if !c.Keep {
		d.ours = append(d.ours, path)
	}
}

// remove removes what is ours. Nothing may write there any more.
func (d *directories) remove() error {
	var errs []error
	for _, path := range d.ours {
		errs = append(errs, removeTree(path))
	}
	return errors.Join(errs...)
}

// removeTree removes path and everything below, also directories that their
// owner may not enter. It never reaches through a symbolic link, and refuses
// when something is mounted below: what lies there is not ours.
func removeTree(path string) error {
	switch mounted, err := mountBelow(path); {
	case err != nil:
		return err
	case mounted != "":
		return deskhand.Errorf("", deskhand.Conflict, "%s is not removed because something is mounted at %s", path, mounted)
	}
	if os.RemoveAll(path) == nil {
		return nil
	}
	err := filepath.WalkDir(path, func(name string, e fs.DirEntry, err error) error {
		if e != nil && e.IsDir() && err == nil {
			return os.Chmod(name, 0o700) // called before the directory is read
		}
		return nil // what is left over, RemoveAll says
	})
	return errors.Join(err, os.RemoveAll(path))
}

// mountBelow returns a mount point at or below path, empty when there is none.
func mountBelow(path string) (string, error) {
	real, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	} else if err != nil {
		return "", err
	}
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return "", fmt.Errorf("the table of mounts cannot be read: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 5 {
			continue
		}
		point := unescape.Replace(fields[4])
		if point == real || strings.HasPrefix(point, real+"/") {
			return point, nil
		}
	}
	return "", lines.Err()
}

// unescape undoes how mountinfo writes blanks.
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
