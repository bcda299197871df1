package frame

import (
	"encoding/binary"
	"math"
	"math/bits"
	"sync"

	"github.com/deskhand/deskhand"
)

const (
	// maxInterval is the most blocks a restart interval can say it has.
	maxInterval = 65535
	// intervalRows is the most rows of blocks in one: enough intervals that a
	// goroutine which comes to a busy part of the picture does not work alone.
	intervalRows = 16
)

// JPEG appends img to dst as a baseline JPEG without chroma subsampling, which
// would blur coloured text. quality is 1 to 100, DefaultQuality when 0. Stripes
// are encoded in parallel, parted by restart markers. Errors are as for Encode.
func JPEG(dst []byte, img *Image, quality int) ([]byte, error) {
	if err := encodable(img); err != nil {
		return dst, err
	}
	if quality == 0 {
		quality = DefaultQuality
	}
	if quality < 1 || quality > 100 {
		return dst, deskhand.Errorf("frame: encode", deskhand.Invalid, "quality %d is not between 1 and 100", quality)
	}
	tables := newQuantTables(quality)
	stripes := cut(img.Size.W, img.Size.H, 8)
	across := (img.Size.W + 7) / 8
	rows := min((stripes[0].y1+7)/8, intervalRows, max(1, maxInterval/across))
	stripes = inStripes(img.Size.H, 8*rows)
	scans := make([]*scan, len(stripes))
	each(stripes, func(i int, s stripe) {
		scans[i] = scanPool.Get().(*scan)
		scans[i].encode(img, tables, s)
	})
	dst = appendHeader(dst, img.Size, tables, rows*across)
	for i, s := range scans {
		if i > 0 {
			dst = append(dst, 0xff, 0xd0|byte(i-1)%8)
		}
		dst = append(dst, s.out[:s.n]...)
		scanPool.Put(s)
	}
	return append(dst, 0xff, 0xd9), nil
}

// appendHeader appends everything before the scan's data.
func appendHeader(dst []byte, size deskhand.Size, tables *quantTables, interval int) []byte {
	dst = append(dst, 0xff, 0xd8)
	dst = append(dst, 0xff, 0xe0, 0, 16, 'J', 'F', 'I', 'F', 0, 1, 1, 0, 0, 1, 0, 1, 0, 0)
	dst = append(dst, 0xff, 0xdb, 0, 2+2*65)
	for i := range tables.zigzag {
		dst = append(append(dst, byte(i)), tables.zigzag[i][:]...)
	}
	dst = append(dst, 0xff, 0xc0, 0, 17, 8)
	dst = binary.BigEndian.AppendUint16(dst, uint16(size.H))
	dst = binary.BigEndian.AppendUint16(dst, uint16(size.W))
	dst = append(dst, 3, 1, 0x11, 0, 2, 0x11, 1, 3, 0x11, 1)
	for i, spec := range huffmanSpecs() {
		dst = append(dst, 0xff, 0xc4, 0, byte(2+1+16+len(spec.values)), []byte{0x00, 0x10, 0x01, 0x11}[i])
		dst = append(append(dst, spec.count[:]...), spec.values...)
	}
	dst = append(dst, 0xff, 0xdd, 0, 4)
	dst = binary.BigEndian.AppendUint16(dst, uint16(interval))
	return append(dst, 0xff, 0xda, 0, 12, 3, 1, 0x00, 2, 0x11, 3, 0x11, 0, 63, 0)
}

// reciprocalBits is the precision of division by multiplication.
const reciprocalBits = 32

// quantTables are the tables for luminance and chrominance.
type quantTables struct {
	zigzag     [2][64]byte  // as they are written
	reciprocal [2][64]int64 // in natural order, with the scale of the transform
}

// newQuantTables scales the tables of the standard's annex K as every encoder does.
func newQuantTables(quality int) *quantTables {
	scale := 200 - 2*quality
	if quality < 50 {
		scale = 5000 / quality
	}
	aan := [8]float64{1, 1.387039845, 1.306562965, 1.175875602, 1, 0.785694958, 0.541196100, 0.275899379}
	t := new(quantTables)
	for i, base := range baseQuant() {
		for k, at := range zigzag {
			q := min(max((int(base[at])*scale+50)/100, 1), 255)
			t.zigzag[i][k] = byte(q)
			whole := float64(q) * aan[at/8] * aan[at%8] * 8 * (1 << dctBits)
			t.reciprocal[i][at] = int64(math.Round((1 << reciprocalBits) / whole))
		}
	}
	return t
}

// scan is the coded data of a stripe as it grows.
type scan struct {
	out  []byte
	n    int    // bytes of out in use
	acc  uint64 // bits not yet in out, in the low end
	bits int    // how many, below 32
	last [3]int32
	huff *[4][256]huffman
}

var scanPool = sync.Pool{New: func() any { return new(scan) }}

// blockRoom is more than three blocks can take: 64 codes of 26 bits each, and
// every byte stuffed.
const blockRoom = 3 * 64 * 4 * 2

func (s *scan) encode(img *Image, t *quantTables, rows stripe) {
	s.n, s.acc, s.bits, s.last, s.huff = 0, 0, 0, [3]int32{}, huffmanCodes()
	var edge [64 * 4]byte
	var planes [3]block
	for y := rows.y0; y < rows.y1; y += 8 {
		for x := 0; x < img.Size.W; x += 8 {
			if len(s.out)-s.n < blockRoom {
				s.out = append(s.out, make([]byte, len(s.out)+1<<16)...)
			}
			pix, stride := img.Pix[y*img.Stride+4*x:], img.Stride
			if x+8 > img.Size.W || y+8 > img.Size.H {
				repeatEdge(&edge, img, x, y)
				pix, stride = edge[:], 32
			}
			if flat(pix, stride) {
				s.flatBlocks(binary.LittleEndian.Uint32(pix), t)
				continue
			}
			grey := convert(&planes, pix, stride)
			planes[0].transform()
			s.block(&planes[0], 0, &t.reciprocal[0])
			if grey {
				s.dc(0, 1)
				s.dc(0, 2)
				continue
			}
			for i := 1; i < 3; i++ {
				planes[i].transform()
				s.block(&planes[i], i, &t.reciprocal[1])
			}
		}
	}
	s.finish()
}

// flatBlocks codes three blocks of the one colour p.
func (s *scan) flatBlocks(p uint32, t *quantTables) {
	v := toYCC(p)
	for i := range 3 {
		level := int64(v>>(12+21*i)&0xff) - 128
		s.dc(divide(level*64<<dctBits, t.reciprocal[min(i, 1)][0]), i)
	}
}

// dc codes a block that has nothing but a mean.
func (s *scan) dc(mean int32, plane int) {
	s.mean(mean, plane)
	end := s.huff[2*min(plane, 1)+1][0]
	s.put(uint64(end.code), int(end.size))
}

// mean codes the first coefficient: the difference to the block before.
func (s *scan) mean(mean int32, plane int) {
	diff := mean - s.last[plane]
	s.last[plane] = mean
	s.value(&s.huff[2*min(plane, 1)], 0, diff)
}

// value codes run zeros and then v.
func (s *scan) value(codes *[256]huffman, run int, v int32) {
	sign := v >> 31
	n := bits.Len32(uint32((v ^ sign) - sign))
	low := uint64(uint32(v+sign)) & (1<<n - 1)
	h := codes[(run<<4|n)&0xff]
	s.put(uint64(h.code)<<n|low, int(h.size)+n)
}

// put appends the low n bits of v, at most 32.
func (s *scan) put(v uint64, n int) {
	s.acc = s.acc<<n | v
	s.bits += n
	if s.bits < 32 {
		return
	}
	s.bits -= 32
	word := uint32(s.acc >> s.bits)
	if word&0x80808080&^(word+0x01010101) == 0 { // no byte is 0xff, which would need a zero after it
		binary.BigEndian.PutUint32(s.out[s.n:], word)
		s.n += 4
		return
	}
	for shift := 24; shift >= 0; shift -= 8 {
		s.stuff(byte(word >> shift))
	}
}

func (s *scan) stuff(b byte) {
	s.out[s.n] = b
	s.n++
	if b == 0xff {
		s.out[s.n] = 0
		s.n++
	}
}

// finish fills the last byte up with ones.
func (s *scan) finish() {
	for fill := 7; s.bits > 0; fill = 0 {
		s.acc = s.acc<<fill | (1<<fill - 1)
		s.bits += fill
		for ; s.bits >= 8; s.bits -= 8 {
			s.stuff(byte(s.acc >> (s.bits - 8)))
		}
		s.bits = 0
	}
}

// block quantises and codes a transformed block.
func (s *scan) block(b *block, plane int, reciprocal *[64]int64) {
	var q [64]int32
	var set uint64 // which of q are not zero
	for k := 1; k < 64; k++ {
		at := zigzag[k] & 63
		v := divide(int64(b[at]), reciprocal[at])
		q[k] = v
		set |= uint64(uint32(v|-v)>>31) << k
	}
	s.mean(divide(int64(b[0]), reciprocal[0]), plane)
	codes := &s.huff[2*min(plane, 1)+1]
	for last := 0; set != 0; set &= set - 1 {
		k := bits.TrailingZeros64(set) & 63
		run := k - last - 1
		for ; run > 15; run -= 16 {
			s.put(uint64(codes[0xf0].code), int(codes[0xf0].size))
		}
		s.value(codes, run, min(max(q[k], -1023), 1023))
		last = k
	}
	if q[63] == 0 {
		s.put(uint64(codes[0].code), int(codes[0].size))
	}
}

// divide divides by what r is the reciprocal of, to the nearest.
func divide(v, r int64) int32 {
	return int32((v*r + 1<<(reciprocalBits-1)) >> reciprocalBits)
}
