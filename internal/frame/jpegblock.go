package frame

import "encoding/binary"

// block is 8 by 8 samples or coefficients.
type block [64]int32

// dctBits is how much finer than a sample the transform calculates.
const dctBits = 4

// fixed-point constants of the transform, in units of 1/2^14
const (
	fixBits = 14
	fix0382 = 6270  // 0.382683433
	fix0541 = 8867  // 0.541196100
	fix0707 = 11585 // 0.707106781
	fix1306 = 21407 // 1.306562965
)

func fix(v int32, by int64) int32 { return int32((int64(v)*by + 1<<(fixBits-1)) >> fixBits) }

// transform is the discrete cosine transform of Arai, Agui and Nakajima. Its
// result is scaled; the scale is in quantTables.reciprocal.
func (b *block) transform() {
	for i := 0; i < 64; i += 8 {
		r := (*[8]int32)(b[i : i+8])
		r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7] = dct(r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7])
	}
	for i := range 8 {
		b[i], b[i+8], b[i+16], b[i+24], b[i+32], b[i+40], b[i+48], b[i+56] =
			dct(b[i], b[i+8], b[i+16], b[i+24], b[i+32], b[i+40], b[i+48], b[i+56])
	}
}

func dct(a, b, c, d, e, f, g, h int32) (int32, int32, int32, int32, int32, int32, int32, int32) {
	s0, s1, s2, s3 := a+h, b+g, c+f, d+e
	d0, d1, d2, d3 := a-h, b-g, c-f, d-e

	even, odd := s0+s3, s1+s2
	rest := s0 - s3
	z := fix(s1-s2+rest, fix0707)

	t0, t1, t2 := d3+d2, d2+d1, d1+d0
	z5 := fix(t0-t2, fix0382)
	z2 := fix(t0, fix0541) + z5
	z4 := fix(t2, fix1306) + z5
	z3 := fix(t1, fix0707)
	p, m := d0+z3, d0-z3
	return even + odd, p + z4, rest + z, m - z2, even - odd, m + z2, rest - z, p - z4
}

// A colour's luminance and chrominance in lanes of 21 bits as in scale.go,
// luminance lowest. Each lane's weights are in units of 1/2^12, its rounding is
// just below a half, so that the largest value does not spill.
const (
	yccRed   = 1225 - 691<<21 + 2048<<42
	yccGreen = 2404 - 1357<<21 - 1715<<42
	yccBlue  = 467 + 2048<<21 - 333<<42
	yccBias  = 2047 * lanes
	yccZero  = yccBias + (128<<12)<<21 + (128<<12)<<42
)

func toYCC(p uint32) uint64 {
	return uint64(int64(p&0xff)*yccBlue+int64(p>>8&0xff)*yccGreen+int64(p>>16&0xff)*yccRed) + yccZero
}

// flat reports whether the 64 pixels at pix are one colour.
func flat(pix []byte, stride int) bool {
	const both = colour<<32 | colour
	first := binary.LittleEndian.Uint64(pix)
	first = first&colour | first<<32
	for range 7 {
		r := pix[:32]
		if ((binary.LittleEndian.Uint64(r)^first)|(binary.LittleEndian.Uint64(r[8:])^first)|
			(binary.LittleEndian.Uint64(r[16:])^first)|(binary.LittleEndian.Uint64(r[24:])^first))&both != 0 {
			return false
		}
		pix = pix[stride:]
	}
	r := pix[:32]
	return ((binary.LittleEndian.Uint64(r)^first)|(binary.LittleEndian.Uint64(r[8:])^first)|
		(binary.LittleEndian.Uint64(r[16:])^first)|(binary.LittleEndian.Uint64(r[24:])^first))&both == 0
}

// convert fills planes with the 64 pixels at pix. It reports whether all are
// grey; the planes of colour are then not filled.
func convert(planes *[3]block, pix []byte, stride int) (grey bool) {
	var hue uint32
	for y := 0; y < 8 && hue&0xffff == 0; y++ {
		row := pix[y*stride:][:32]
		for x := 0; x < 32; x += 4 {
			p := binary.LittleEndian.Uint32(row[x:])
			hue |= p ^ p>>8
		}
	}
	grey = hue&0xffff == 0
	for y := range 8 {
		row := (*[32]byte)(pix[y*stride:])
		for x := range 8 {
			at := y*8 + x
			p := binary.LittleEndian.Uint32(row[4*x:])
			if grey {
				planes[0][at&63] = (int32(p&0xff) - 128) << dctBits
				continue
			}
			v := toYCC(p)
			planes[0][at&63] = (int32(v>>12&0xff) - 128) << dctBits
			planes[1][at&63] = (int32(v>>33&0xff) - 128) << dctBits
			planes[2][at&63] = (int32(v>>54&0xff) - 128) << dctBits
		}
	}
	return grey
}

// repeatEdge copies the block at x, y; what is outside the image repeats its edge.
func repeatEdge(edge *[64 * 4]byte, img *Image, x, y int) {
	for i := range 8 {
		row := img.Row(min(y+i, img.Size.H-1))
		for k := range 8 {
			copy(edge[32*i+4*k:][:4], row[4*min(x+k, img.Size.W-1):])
		}
	}
}
