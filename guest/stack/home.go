package stack

import (
	"bytes"
	"embed"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

//go:embed files
var files embed.FS

// setting is a file of settings in the home directory.
type setting struct {
	path  string // below the home directory
	file  string // below files
	renew bool   // written at every start; otherwise only when there is none
}

func settings(c Config) []setting {
	profile, err := filepath.Rel(c.Home, firefoxProfile(c))
	if err != nil {
		panic("stack: " + err.Error()) // unreachable unless the profile leaves the home directory
	}
	return []setting{
		{".config/glib-2.0/settings/keyfile", "settings.keyfile", false},
		{".config/gtk-3.0/settings.ini", "gtk.ini", false},
		{".config/gtk-4.0/settings.ini", "gtk.ini", false},
		{".gtkrc-2.0", "gtkrc-2.0", false},
		{".config/user-dirs.dirs", "user-dirs.dirs", false},
		{".config/chromium/Default/Preferences", "chromium.json", false},
		{".config/google-chrome/Default/Preferences", "chromium.json", false},
		{filepath.Join(profile, "user.js"), "user.js", true},
	}
}

// furnish makes the home directory one where programs start without questions.
// What a person has put there stays.
func furnish(c Config) error {
	var errs []error
	for _, name := range []string{"Desktop", "Documents", "Downloads"} {
		errs = append(errs, os.MkdirAll(filepath.Join(c.Home, name), 0o755))
	}
	for _, s := range settings(c) {
		data, err := files.ReadFile("files/" + s.file)
		if err != nil {
			panic("stack: " + err.Error()) // unreachable unless a file is missing from the program
		}
		data = bytes.ReplaceAll(data, []byte("TITLE"), strconv.AppendInt(nil, int64(10*c.Scale), 10)) // mutter magnifies nothing by itself
		errs = append(errs, write(filepath.Join(c.Home, s.path), data, s.renew))
	}
	return errors.Join(errs...)
}

func write(path string, data []byte, renew bool) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if renew {
		flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	f, err := os.OpenFile(path, flags, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	} else if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}
