package folder_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/deskhand/deskhand/sandbox/folder"
)

// BenchmarkReview measures a folder of 100,000 files with 1,000 changes: how
// long it takes to make the layer, to find the walls, to list the changes, to
// apply them and to undo that.
func BenchmarkReview(b *testing.B) {
	p := newPlace(b, folder.Overlay, nil)
	_ = p.layer.Close()
	for d := range 1000 {
		dir := fmt.Sprintf("%s/%03d", p.dir, d)
		if err := os.Mkdir(dir, 0o755); err != nil {
			b.Fatal(err)
		}
		for f := range 100 {
			if err := os.WriteFile(fmt.Sprintf("%s/%02d", dir, f), []byte("some text that was there before\n"), 0o644); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := folder.Remove(p.state); err != nil {
		b.Fatal(err)
	}
	begun := b.Elapsed()
	took := func(what string) {
		now := b.Elapsed()
		b.ReportMetric((now - begun).Seconds(), what+"-s")
		begun = b.Elapsed()
	}
	b.ResetTimer()
	begun = b.Elapsed()
	p.open()
	took("make")
	if _, err := p.layer.Walls(nil); err != nil {
		b.Fatal(err)
	}
	took("walls")
	p.task(`for d in *; do [ -d $d ] || continue; case $d in ??[0-4]) echo changed >$d/01; echo added >$d/new;; *) mv $d/02 $d/moved; rm $d/03;; esac; done`)
	took("task")
	all := p.changes()
	took("review")
	if len(all) != 2000 {
		b.Fatalf("%d changes", len(all))
	}
	p.apply(folder.Choice{All: true, Deletions: true})
	took("apply")
	p.undo()
	took("undo")
}
