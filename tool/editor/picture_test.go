package editor_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/sandbox"
	"github.com/deskhand/deskhand/sandbox/host"
	"github.com/deskhand/deskhand/tool/editor"
)

func TestViewPicture(t *testing.T) {
	t.Parallel()
	d := open(t, editor.Config{})
	red := image.NewPaletted(image.Rect(0, 0, 30, 20), color.Palette{color.RGBA{255, 0, 0, 255}, color.White})
	wide := image.NewRGBA(image.Rect(0, 0, 4100, 20))
	for i := range wide.Pix {
		wide.Pix[i] = 255
	}
	encode := func(name string, f func(*bytes.Buffer) error) {
		var b bytes.Buffer
		if err := f(&b); err != nil {
			t.Fatal(err)
		}
		d.write(name, b.String())
	}
	encode("p.png", func(b *bytes.Buffer) error { return png.Encode(b, red) })
	encode("p.jpg", func(b *bytes.Buffer) error { return jpeg.Encode(b, red, nil) })
	encode("p.gif", func(b *bytes.Buffer) error { return gif.Encode(b, red, nil) })
	encode("wide.png", func(b *bytes.Buffer) error { return png.Encode(b, wide) })
	for name, want := range map[string]struct {
		media string
		size  deskhand.Size
		asIs  bool
	}{
		"p.png": {"image/png", deskhand.Size{W: 30, H: 20}, true}, "p.jpg": {"image/jpeg", deskhand.Size{W: 30, H: 20}, true},
		"p.gif": {"image/png", deskhand.Size{W: 30, H: 20}, false}, "wide.png": {"image/png", deskhand.Size{W: 1367, H: 7}, false},
	} {
		r := d.call(`{"command":"view","path":"DIR/` + name + `"}`)
		got := r.Content[0].Image
		if r.IsError || got == nil || got.MediaType != want.media || got.Size != want.size {
			t.Errorf("%s: %+v %+v", name, r, got)
			continue
		}
		file, _ := os.ReadFile(filepath.Join(d.dir, name))
		if bytes.Equal(file, got.Data) != want.asIs || got.Hash != deskhand.HashOf(got.Data) {
			t.Errorf("%s: wrong bytes", name)
		}
		if m, _, err := image.Decode(bytes.NewReader(got.Data)); err != nil || m.Bounds().Dx() != want.size.W {
			t.Errorf("%s: %v", name, err)
		} else if r, _, _, _ := m.At(5, 5).RGBA(); r < 0xf000 {
			t.Errorf("%s: red is %x", name, r)
		}
	}
	d.write("broken.png", "\x89PNG\r\n\x1a\nnonsense")
	d.want(`{"command":"view","path":"DIR/broken.png"}`, "The image DIR/broken.png cannot be shown: it is damaged.", true)
	d.want(`{"command":"view","path":"DIR/p.png","view_range":[1,2]}`, "The `view_range` parameter is not allowed when `path` points to an image.", true)
}

// Red, 6x4, without and with loss, as ImageMagick wrote them.
const (
	webpLossless = "UklGRhwAAABXRUJQVlA4TA8AAAAvBcAAAAcQ/Y/+ByKi/wEA"
	webpLossy    = "UklGRjwAAABXRUJQVlA4IDAAAADQAQCdASoGAAQAAgA0JaACdLoB+AADsAD+8MQL/yC5YXXI1/8gP+QH/ID/+PIAAAA="
)

func TestViewWebP(t *testing.T) {
	t.Parallel()
	d := open(t, editor.Config{})
	for name, file := range map[string]string{"lossless": webpLossless, "lossy": webpLossy} {
		data, err := base64.StdEncoding.DecodeString(file)
		if err != nil {
			t.Fatal(err)
		}
		d.write(name, string(data))
		got := d.call(`{"command":"view","path":"DIR/` + name + `"}`).Content[0].Image
		if got == nil || got.MediaType != "image/png" || got.Size != (deskhand.Size{W: 6, H: 4}) {
			t.Fatalf("%s: %+v", name, got)
		}
		m, err := png.Decode(bytes.NewReader(got.Data))
		if err != nil {
			t.Fatal(err)
		}
		if r, g, b, _ := m.At(3, 2).RGBA(); r < 0xe000 || g > 0x2000 || b > 0x2000 {
			t.Errorf("%s: red is %x %x %x", name, r, g, b)
		}
		d.write("cut", string(data[:len(data)-8]))
		d.want(`{"command":"view","path":"DIR/cut"}`, "The image DIR/cut cannot be shown: it is damaged.", true)
	}
}

// TestDamagedPictures: what the API would refuse is refused here, in whichever
// way it is broken, because a refused request ends the task.
func TestDamagedPictures(t *testing.T) {
	t.Parallel()
	d := open(t, editor.Config{})
	m := image.NewPaletted(image.Rect(0, 0, 90, 70), color.Palette{color.Black, color.White})
	for i := range m.Pix {
		m.Pix[i] = uint8(i % 7 % 2)
	}
	for kind, encode := range map[string]func(*bytes.Buffer) error{
		"png":  func(b *bytes.Buffer) error { return png.Encode(b, m) },
		"jpeg": func(b *bytes.Buffer) error { return jpeg.Encode(b, m, nil) },
		"gif":  func(b *bytes.Buffer) error { return gif.Encode(b, m, nil) },
	} {
		var b bytes.Buffer
		if err := encode(&b); err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{b.Len() / 4, b.Len() / 2, b.Len() * 3 / 4} {
			d.write("cut", b.String()[:n])
			d.want(`{"command":"view","path":"DIR/cut"}`, "The image DIR/cut cannot be shown: it is damaged.", true)
		}
		if kind == "png" { // a changed byte of the picture, and its checksum as it was
			wrong := bytes.Clone(b.Bytes())
			wrong[len(wrong)-20] ^= 0x40
			d.write("cut", string(wrong))
			d.want(`{"command":"view","path":"DIR/cut"}`, "The image DIR/cut cannot be shown: it is damaged.", true)
		}
	}
}

// TestBombs runs alone: it looks at what the whole process allocates.
func TestBombs(t *testing.T) {
	d := open(t, editor.Config{})
	d.write("bomb.png", bombPNG(20000, 20000))
	var gray bytes.Buffer
	if err := png.Encode(&gray, image.NewGray(image.Rect(0, 0, 5000, 5000))); err != nil {
		t.Fatal(err)
	}
	d.write("fits.png", gray.String())
	huge := filepath.Join(d.dir, "huge.png")
	if err := errors.Join(os.WriteFile(huge, []byte(bombPNG(10, 10)), 0o600), os.Truncate(huge, 10<<30)); err != nil {
		t.Fatal(err)
	}
	allocated := func(input, want string, failed bool) uint64 {
		t.Helper()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		d.want(input, want, failed)
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	const most = 2 << 20
	for name, reason := range map[string]string{
		"bomb.png": "it has 20000x20000 pixels, more than the 25000000 that are shown; make a smaller one", "huge.png": "it has 10737418240 bytes",
	} {
		if n := allocated(`{"command":"view","path":"DIR/`+name+`"}`, "The image DIR/"+name+" cannot be shown: "+reason+".", true); n > most {
			t.Errorf("%s cost %d bytes", name, n)
		}
	}
	// a small file that may be decoded costs what it claims
	if n := allocated(`{"command":"view","path":"DIR/fits.png","view_range":null}`, "", false); n < 5000*5000 || gray.Len() > most {
		t.Errorf("a picture that may be decoded cost %d bytes only", n)
	}
}

// bombPNG is the beginning of a picture that claims to be large.
func bombPNG(w, h uint32) string {
	header := append([]byte("IHDR"), binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)...)
	header = append(header, 8, 2, 0, 0, 0)
	file := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"), header...)
	file = binary.BigEndian.AppendUint32(file, crc32.ChecksumIEEE(header))
	return string(append(file, "\x00\x00\x00\x01IDAT"...))
}

// watched counts what is read of files.
type watched struct {
	sandbox.Sandbox
	bytes, calls atomic.Int64
}

func (w *watched) ReadFile(ctx context.Context, path string, offset, limit int64) ([]byte, sandbox.FileInfo, error) {
	data, info, err := w.Sandbox.ReadFile(ctx, path, offset, limit)
	w.bytes.Add(int64(len(data)))
	w.calls.Add(1)
	return data, info, err
}

// TestHugeFiles: of a file of 10 GB only its beginning is read, whatever it is
// and whatever is asked.
func TestHugeFiles(t *testing.T) {
	t.Parallel()
	w := &watched{Sandbox: host.New(host.Config{})}
	d := use(t, w, editor.Config{MaxCharacters: 1000}, t.TempDir())
	const clip = "<response clipped>"
	for name, c := range map[string]struct{ begin, view, ranged string }{
		"sparse": {"", "is binary (10737418240 bytes)", "is binary (10737418240 bytes)"},
		"text":   {strings.Repeat("line\n", 10_000), clip, "too many to number its lines"},
		"accent": {strings.Repeat("é", 20_000), clip, "too many to number its lines"},
		"utf16":  {utf16LE("\ufeff" + strings.Repeat("😀", 20_000)), clip, "too many to number its lines"},
	} {
		file := filepath.Join(d.dir, name)
		if err := errors.Join(os.WriteFile(file, []byte(c.begin), 0o600), os.Truncate(file, 10<<30)); err != nil {
			t.Fatal(err)
		}
		for input, want := range map[string]string{
			`{"command":"view","path":"DIR/F"}`:                                         c.view,
			`{"command":"view","path":"DIR/F","view_range":[1,2]}`:                      c.ranged,
			`{"command":"insert","path":"DIR/F","insert_line":0,"insert_text":"x"}`:     "more than the 33554432 that can be edited",
			`{"command":"str_replace","path":"DIR/F","old_str":"line","new_str":"row"}`: "more than the 33554432 that can be edited",
		} {
			w.bytes.Store(0)
			r := d.call(strings.ReplaceAll(input, "F", name))
			text := r.Content[0].Text
			if !strings.Contains(text, want) || r.IsError == (want == clip) || strings.Contains(text, "\ufffd") || strings.Contains(text, "not UTF-8") {
				t.Errorf("%s %s: %.300q", name, input, text)
			}
			if n := w.bytes.Load(); n > 6000 {
				t.Errorf("%s %s: %d bytes were read", name, input, n)
			}
		}
	}
	if w.calls.Load() == 0 {
		t.Error("nothing was watched")
	}
}
