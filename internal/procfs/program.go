package procfs

import (
	"os"
	"strconv"
	"strings"
)

// installed are the directories into which programs are installed. Inside a
// sandbox nobody can write to them.
var installed = []string{"/usr/", "/opt/"}

// Program returns the path of the installed program that process pid runs, and
// whether it runs one. The kernel is asked, not the process. A process in a mount
// namespace of its own can have any file at any path, so what it runs has to be
// what stands at the path here. A name for the process that ended and whose
// number was given out anew cannot be told.
func Program(pid int) (path string, ok bool) {
	exe := "/proc/" + strconv.Itoa(pid) + "/exe"
	path, err := os.Readlink(exe)
	if err != nil {
		return "", false
	}
	for _, dir := range installed {
		ok = ok || strings.HasPrefix(path, dir)
	}
	runs, err := os.Stat(exe)
	if err != nil || !ok {
		return "", false
	}
	here, err := os.Lstat(path)
	return path, err == nil && os.SameFile(runs, here)
}
