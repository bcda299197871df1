package frame

import (
	"bytes"
	"encoding/binary"
	"hash/adler32"
	"hash/crc32"
	"sync"

	"github.com/klauspost/compress/flate"
)

// pngLevel is the level of compression: higher ones take several times as long
// for a tenth of the bytes on desktop pictures.
const pngLevel = 1

// filterNone leaves rows as they are. On desktops, where letters and widgets
// repeat, that is a tenth smaller than the filters Sub and Up, and faster; on
// photographs Sub would save a twentieth, but those are better sent as JPEG.
const filterNone = 0

// squeezer is what one stripe needs: rows ready to compress, the compressor and its output.
type squeezer struct {
	rows  []byte
	out   bytes.Buffer
	flate *flate.Writer
	sum   uint32 // Adler-32 of rows
}

var squeezers = sync.Pool{New: func() any {
	w, err := flate.NewWriter(nil, pngLevel)
	if err != nil {
		panic("frame: " + err.Error()) // unreachable unless pngLevel is no level
	}
	return &squeezer{flate: w}
}}

// PNG appends img to dst as a PNG, losslessly: indexed when it has at most 256
// colours, else RGB. Stripes are compressed in parallel; each ends in a flush,
// so that together they are one zlib stream. Errors are as for Encode.
func PNG(dst []byte, img *Image) ([]byte, error) {
	if err := encodable(img); err != nil {
		return dst, err
	}
	stripes := cut(img.Size.W, img.Size.H, 1)
	pal := newPalette(img)
	parts := make([]*squeezer, len(stripes))
	each(stripes, func(i int, s stripe) {
		parts[i] = squeezers.Get().(*squeezer)
		parts[i].squeeze(img, pal, s, i == len(stripes)-1)
	})
	dst = append(dst, "\x89PNG\r\n\x1a\n"...)
	dst = chunk(dst, "IHDR", func(dst []byte) []byte {
		dst = binary.BigEndian.AppendUint32(dst, uint32(img.Size.W))
		dst = binary.BigEndian.AppendUint32(dst, uint32(img.Size.H))
		if pal != nil {
			return append(dst, byte(pal.depth), 3, 0, 0, 0)
		}
		return append(dst, 8, 2, 0, 0, 0)
	})
	if pal != nil {
		dst = chunk(dst, "PLTE", pal.appendTo)
	}
	dst = chunk(dst, "IDAT", func(dst []byte) []byte {
		dst = append(dst, 0x78, 0x01)
		sum := uint32(1)
		for _, p := range parts {
			dst = append(dst, p.out.Bytes()...)
			sum = joinAdler(sum, p.sum, len(p.rows))
		}
		return binary.BigEndian.AppendUint32(dst, sum)
	})
	dst = chunk(dst, "IEND", func(dst []byte) []byte { return dst })
	for _, p := range parts {
		squeezers.Put(p)
	}
	return dst, nil
}

// chunk appends a chunk whose body is what body appends.
func chunk(dst []byte, name string, body func([]byte) []byte) []byte {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	dst = append(dst, name...)
	dst = body(dst)
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start-8))
	return binary.BigEndian.AppendUint32(dst, crc32.ChecksumIEEE(dst[start+4:]))
}

// squeeze filters and compresses the rows of s.
func (q *squeezer) squeeze(img *Image, pal *palette, s stripe, last bool) {
	width := 3 * img.Size.W
	if pal != nil {
		width = (img.Size.W*pal.depth + 7) / 8
	}
	if need := (width + 1) * (s.y1 - s.y0); cap(q.rows) < need {
		q.rows = make([]byte, need)
	} else {
		q.rows = q.rows[:need]
	}
	for y := s.y0; y < s.y1; y++ {
		out := q.rows[(y-s.y0)*(width+1):][:width+1]
		out[0] = filterNone
		if pal != nil {
			pal.indexRow(out[1:], img.Row(y))
		} else {
			packRow(out[1:], img.Row(y))
		}
	}
	q.sum = adler32.Checksum(q.rows)
	q.out.Reset()
	q.flate.Reset(&q.out)
	q.flate.Write(q.rows) // writes to memory: cannot fail
	if last {
		q.flate.Close()
	} else {
		q.flate.Flush()
	}
}

// packRow writes a row as red, green, blue.
func packRow(out, row []byte) {
	for len(row) >= 4 && len(out) >= 3 {
		out[0], out[1], out[2] = row[2], row[1], row[0]
		row, out = row[4:], out[3:]
	}
}

// joinAdler returns the Adler-32 of two texts after one another, the second n bytes long.
func joinAdler(a, b uint32, n int) uint32 {
	const mod = 65521
	a1, a2, b1, b2 := a&0xffff, a>>16, b&0xffff, b>>16
	s1 := (a1 + b1 + mod - 1) % mod
	s2 := (uint32(uint64(n)%mod*uint64(a1+mod-1)%mod) + a2 + b2) % mod
	return s2<<16 | s1
}
