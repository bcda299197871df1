package editor_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/sandbox"
	"github.com/deskhand/deskhand/sandbox/bwrap"
	"github.com/deskhand/deskhand/sandbox/host"
	"github.com/deskhand/deskhand/tool/editor"
)

// pdf returns a document of n pages of 200 by 100 points, page i filled with
// i tenths of red. extra goes into its trailer.
func pdf(n int, extra string) string {
	objects := []string{"<</Type/Catalog/Pages 2 0 R>>", ""}
	var kids strings.Builder
	for i := 1; i <= n; i++ {
		draw := fmt.Sprintf("0.%d 0 0 rg 0 0 200 100 re f", i)
		fmt.Fprintf(&kids, "%d 0 R ", len(objects)+1)
		objects = append(objects, fmt.Sprintf("<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 100]/Contents %d 0 R/Resources<<>>>>", len(objects)+2),
			fmt.Sprintf("<</Length %d>>stream\n%s\nendstream", len(draw), draw))
	}
	objects[1] = fmt.Sprintf("<</Type/Pages/Kids[%s]/Count %d>>", kids.String(), n)
	var file, table strings.Builder
	file.WriteString("%PDF-1.4\n")
	for i, o := range objects {
		fmt.Fprintf(&table, "%010d 00000 n \n", file.Len())
		fmt.Fprintf(&file, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	start := file.Len()
	fmt.Fprintf(&file, "xref\n0 %d\n0000000000 65535 f \n%strailer\n<</Size %d/Root 1 0 R%s>>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, table.String(), len(objects)+1, extra, start)
	return file.String()
}

// reds returns how red the pages shown are, in tenths.
func reds(t *testing.T, r deskhand.Result) (tenths []int) {
	t.Helper()
	for _, c := range r.Content[1:] {
		if c.Image == nil || c.Image.Size != (deskhand.Size{W: 1568, H: 784}) {
			t.Fatalf("%+v", c)
		}
		m, err := png.Decode(bytes.NewReader(c.Image.Data))
		if err != nil {
			t.Fatal(err)
		}
		red, _, _, _ := m.At(700, 300).RGBA()
		tenths = append(tenths, int(red*10+0x7fff)/0xffff)
	}
	return tenths
}

// everywhere runs test on a sandbox without walls and on one with all of them.
func everywhere(t *testing.T, test func(t *testing.T, d *desk)) {
	t.Helper()
	t.Run("host", func(t *testing.T) {
		t.Parallel()
		test(t, open(t, editor.Config{}))
	})
	t.Run("bwrap", func(t *testing.T) {
		t.Parallel()
		place, err := bwrap.Start(t.Context(), bwrap.Config{})
		if err != nil {
			t.Fatal(err)
		}
		test(t, use(t, place, editor.Config{}, bwrap.Home))
	})
}

// put writes a file through the sandbox.
func (d *desk) put(place sandbox.Sandbox, name, content string) {
	d.t.Helper()
	if _, err := place.WriteFile(context.Background(), d.dir+"/"+name, []byte(content), sandbox.WriteOptions{}); err != nil {
		d.t.Fatal(err)
	}
}

func TestViewPDF(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, d *desk) {
		d.put(d.place, "seven", pdf(7, ""))
		d.put(d.place, "two.PDF", pdf(2, ""))
		d.put(d.place, "none.pdf", pdf(0, ""))
		d.put(d.place, "broken.pdf", "%PDF-1.4\nnothing of it\n")
		d.put(d.place, "cut.pdf", pdf(3, "")[:120])
		garbage := "<" + strings.Repeat("5a", 32) + ">"
		d.put(d.place, "locked.pdf", pdf(2, "/ID[<00><00>]/Encrypt<</Filter/Standard/V 1/R 2/Length 40/P -4/O"+garbage+"/U"+garbage+">>"))
		d.put(d.place, "liar.pdf", pdf(2, "/Info<</Title(x\\nPages:           99)>>"))
		const more = " At most 5 pages are shown at once: view others with `view_range`, for example "
		const pages = `{"command":"view","path":"DIR/seven","view_range":`
		for _, c := range []struct {
			input, want string
			reds        string
		}{
			{`{"command":"view","path":"DIR/seven"}`, "Pages 1 to 5 of the 7 pages of DIR/seven, as pictures." + more + "[6, 7]. For the text alone use bash, for example `pdftotext -layout`.", "[1 2 3 4 5]"},
			{pages + `[6,7]}`, "Pages 6 to 7 of the 7 pages of DIR/seven, as pictures.", "[6 7]"},
			{pages + `[7,-1]}`, "Pages 7 to 7 of the 7 pages of DIR/seven, as pictures.", "[7]"},
			{pages + `[2,-1]}`, "Pages 2 to 6 of the 7 pages of DIR/seven, as pictures." + more + "[7, 7]. For the text alone use bash, for example `pdftotext -layout`.", "[2 3 4 5 6]"},
			{pages + `[0,1]}`, "Invalid `view_range`: [0, 1]. Its first element `0` should be within the range of pages of the file: [1, 7]", ""},
			{pages + `[2,8]}`, "Invalid `view_range`: [2, 8]. Its second element `8` should be smaller than the number of pages in the file: `7`", ""},
			{pages + `[3,2]}`, "Invalid `view_range`: [3, 2]. Its second element `2` should be larger or equal than its first `3`", ""},
			{`{"command":"view","path":"DIR/two.PDF"}`, "Pages 1 to 2 of the 2 pages of DIR/two.PDF, as pictures.", "[1 2]"},
			{`{"command":"view","path":"DIR/liar.pdf"}`, "Pages 1 to 2 of the 2 pages of DIR/liar.pdf, as pictures.", "[1 2]"},
			{`{"command":"view","path":"DIR/none.pdf"}`, "The PDF DIR/none.pdf cannot be shown: it is damaged, or has no pages.", ""},
			{`{"command":"view","path":"DIR/broken.pdf"}`, "The PDF DIR/broken.pdf cannot be shown: it is damaged, or has no pages.", ""},
			{`{"command":"view","path":"DIR/cut.pdf"}`, "The PDF DIR/cut.pdf cannot be shown: it is damaged, or has no pages.", ""},
			{`{"command":"view","path":"DIR/locked.pdf"}`, "The PDF DIR/locked.pdf is encrypted and cannot be shown without its password. With the password, use bash, for example `pdftotext -upw`.", ""},
		} {
			d.want(c.input, c.want, c.reds == "")
			if r := d.call(c.input); c.reds != "" {
				if got := fmt.Sprint(reds(t, r)); got != c.reds {
					t.Errorf("%s shows %s, want %s", c.input, got, c.reds)
				}
			}
		}
	})
}

// without is a sandbox whose programs look for others in an empty place.
type without struct{ sandbox.Sandbox }

func (w without) Exec(ctx context.Context, cmd sandbox.Cmd) (sandbox.Process, error) {
	cmd.Env = append(cmd.Env, "PATH=/nowhere")
	return w.Sandbox.Exec(ctx, cmd)
}

func TestPDFWithoutPoppler(t *testing.T) {
	t.Parallel()
	d := use(t, without{host.New(host.Config{})}, editor.Config{}, t.TempDir())
	d.write("f.pdf", pdf(1, ""))
	d.want(`{"command":"view","path":"DIR/f.pdf"}`, "The PDF DIR/f.pdf cannot be shown: `pdftoppm` and `pdfinfo` are not installed in the sandbox (package poppler-utils).", true)
}

// instead is a sandbox with programs of our own in place of poppler's.
type instead struct {
	sandbox.Sandbox
	dir string
}

func (i instead) Exec(ctx context.Context, cmd sandbox.Cmd) (sandbox.Process, error) {
	cmd.Env = append(cmd.Env, "PATH="+i.dir+":/usr/bin:/bin", "HERE="+i.dir)
	return i.Sandbox.Exec(ctx, cmd)
}

// TestPDFBounds has poppler replaced by programs that behave as it could on a
// document made to exhaust or to take it over. Those that end by themselves do,
// run without the bounds, what they are kept from with them.
func TestPDFBounds(t *testing.T) {
	t.Parallel()
	const tooMuch = "The PDF DIR/f.pdf cannot be shown: drawing it took too long or too much memory. Use bash, for example `pdftotext`."
	const damaged = "The PDF DIR/f.pdf cannot be shown: it is damaged, or has no pages."
	for name, c := range map[string]struct{ program, want string }{
		"memory":  {"exec python3 -c 'bytearray(1200 << 20); open(\"'$HERE'/reached\", \"w\")' 2>&1", damaged},
		"files":   {"echo x > $HERE/some || exit 1; : > $HERE/reached", tooMuch},
		"signal":  {"kill -SEGV $$", tooMuch},
		"hanging": {"sleep 600; : > $HERE/reached", tooMuch},
		"endless": {"yes; : > $HERE/reached", tooMuch},
		"lies":    {"printf 'not a picture'", damaged},
		"nothing": {":", damaged},
		"bomb":    {"cat $HERE/bomb", damaged},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			place := instead{host.New(host.Config{}), t.TempDir()}
			d := use(t, place, editor.Config{Draw: 3 * time.Second}, t.TempDir())
			d.write("f.pdf", pdf(1, ""))
			for file, content := range map[string]string{"pdfinfo": "#!/bin/sh\necho 'Pages:           1'\n", "pdftoppm": "#!/bin/sh\n" + c.program + "\n", "bomb": bombPNG(20000, 20000)} {
				if err := os.WriteFile(filepath.Join(place.dir, file), []byte(content), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			reached := filepath.Join(place.dir, "reached")
			if name == "memory" || name == "files" {
				free := exec.CommandContext(t.Context(), filepath.Join(place.dir, "pdftoppm"))
				free.Env = append(os.Environ(), "HERE="+place.dir)
				if out, err := free.CombinedOutput(); err != nil || os.Remove(reached) != nil {
					t.Fatalf("free of bounds it does nothing either: %v %s", err, out)
				}
			}
			d.want(`{"command":"view","path":"DIR/f.pdf"}`, c.want, true)
			if _, err := os.Stat(reached); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("it reached what it should not: %v", err)
			}
		})
	}
}

func TestPDFCanceled(t *testing.T) {
	t.Parallel()
	place := instead{host.New(host.Config{}), t.TempDir()}
	d := use(t, place, editor.Config{}, t.TempDir())
	d.write("f.pdf", pdf(1, ""))
	if err := os.WriteFile(filepath.Join(place.dir, "pdfinfo"), []byte("#!/bin/sh\nsleep 600\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := d.e.Run(ctx, deskhand.Call{Input: json.RawMessage(`{"command":"view","path":"` + d.dir + `/f.pdf"}`)})
	if deskhand.CodeOf(err) != deskhand.Canceled || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}
