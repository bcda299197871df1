package folder_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/deskhand/deskhand/sandbox/folder"
)

// applyArg makes the test binary a program that applies everything of a layer.
const applyArg = "apply"

func applyMain(state string) int {
	l, err := folder.Existing(state)
	if err == nil {
		err = l.Lock()
	}
	if err == nil {
		_, err = l.Apply(context.Background(), folder.Choice{All: true, Deletions: true})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// TestCrash kills the process that applies, in the middle, and undoes: the
// folder is as it was, to the byte and the time, and nothing is left lying about.
func TestCrash(t *testing.T) {
	t.Parallel()
	files := map[string]string{}
	for i := range 300 {
		files[fmt.Sprintf("c/%03d", i)] = "old"
		files[fmt.Sprintf("d/%03d", i)] = "gone"
		files[fmt.Sprintf("m/%03d", i)] = fmt.Sprint("moves ", i)
	}
	for _, at := range []int{1, 7, 150, 400, 900, 1400} { // lines of the list of steps
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			t.Parallel()
			p := newPlace(t, folder.Overlay, files)
			before := picture(t, p.dir)
			p.task(`cd c; for f in *; do echo new >$f; done; cd ..; rm -r d; mkdir n; for f in $(ls m); do mv m/$f n/$f; done; for i in $(seq 100); do echo x >new$i; done`)
			if err := p.layer.Close(); err != nil {
				t.Fatal(err)
			}
			exe, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(exe, applyArg, p.state)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			reached := linesIn(p.state+"/trash/000001/steps", at, ended)
			if reached {
				_ = cmd.Process.Kill()
				<-ended
			}
			p.open()
			out := p.undo()
			p.want("not undone", words(out.Left), []string{})
			if got := picture(t, p.dir); got != before {
				t.Errorf("killed %v: after undo:\n%s\nwant\n%s", reached, got, before)
			}
		})
	}
}

// linesIn waits until the file has n lines, and reports whether it did before the process ended.
func linesIn(path string, n int, ended chan error) bool {
	const limit = 2 * time.Minute
	look := time.NewTicker(200 * time.Microsecond)
	defer look.Stop()
	for until := time.Now().Add(limit); time.Now().Before(until); {
		select {
		case err := <-ended:
			ended <- err
			return false
		case <-look.C:
			if data, err := os.ReadFile(path); err == nil && bytes.Count(data, []byte("\n")) >= n {
				return true
			}
		}
	}
	return true
}
