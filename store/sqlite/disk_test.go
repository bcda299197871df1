package sqlite

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/deskhand/deskhand/store/storetest"
)

// inNamespace returns a command line that runs another after a mount that only
// it can see.
func inNamespace(mount string) []string {
	line := []string{"unshare", "--mount", "--propagation", "private"}
	if os.Geteuid() != 0 {
		line = append(line, "--map-root-user")
	}
	return append(line, "sh", "-c", mount+` && exec "$@"`, "sh")
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	id := create(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	copied := t.TempDir()
	wrap := inNamespace(fmt.Sprintf("mount -t tmpfs -o size=2m tmpfs %[2]s && cp -a %[1]s/. %[2]s", dir, copied))
	line := storetest.Start(t, wrap, "fill", copied, string(id)).Line()
	if !strings.Contains(line, "is full; free some space") {
		t.Errorf("on a full disk it says %q", line)
	}
}

func TestReadOnlyDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	create(t, s)
	s.Close()
	wrap := inNamespace(fmt.Sprintf("mount --bind %[1]s %[1]s && mount -o remount,bind,ro %[1]s", dir))
	line := storetest.Start(t, wrap, "open", dir).Line()
	if !strings.Contains(line, "cannot be written; check its owner and permissions") {
		t.Errorf("on a read-only disk it says %q", line)
	}
}
