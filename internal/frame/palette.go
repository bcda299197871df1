package frame

import "encoding/binary"

const (
	maxColours   = 256
	paletteSlots = 1024 // of the hash table; a power of two
)

// palette numbers the colours of an image in the order they appear.
type palette struct {
	keys    [paletteSlots]uint32 // colour + 1; 0 is free
	index   [paletteSlots]uint8
	colours []uint32
	depth   int // bits an index takes: 1, 2, 4 or 8
}

// newPalette returns the colours of img, nil when they are more than 256.
func newPalette(img *Image) *palette {
	p := &palette{colours: make([]uint32, 0, maxColours)}
	for y := range img.Size.H {
		if !p.learn(img.Row(y)) {
			return nil
		}
	}
	p.depth = 8
	for _, d := range []int{4, 2, 1} {
		if len(p.colours) <= 1<<d {
			p.depth = d
		}
	}
	return p
}

// learn adds the colours of a row; false when there are too many.
func (p *palette) learn(row []byte) bool {
	last := ^uint32(0)
	for ; len(row) >= 4; row = row[4:] {
		v := binary.LittleEndian.Uint32(row) & colour
		if v == last {
			continue
		}
		last = v
		at := p.slot(v)
		if p.keys[at] != 0 {
			continue
		}
		if len(p.colours) == maxColours {
			return false
		}
		p.keys[at] = v + 1
		p.index[at] = uint8(len(p.colours))
		p.colours = append(p.colours, v)
	}
	return true
}

// slot returns where v is, or would be.
func (p *palette) slot(v uint32) uint32 {
	at := v * 0x9e3779b1 >> 22
	for p.keys[at] != v+1 && p.keys[at] != 0 {
		at = (at + 1) % paletteSlots
	}
	return at
}

// indexRow writes the indices of a row, packed to p.depth bits.
func (p *palette) indexRow(out, row []byte) {
	last, index := ^uint32(0), uint8(0)
	perByte := 8 / p.depth
	for i := range out {
		var b uint8
		for k := range perByte {
			b <<= p.depth
			if len(row) >= 4 {
				if v := binary.LittleEndian.Uint32(row) & colour; v != last {
					last, index = v, p.index[p.slot(v)]
				}
				row = row[4:]
				b |= index
			}
			_ = k
		}
		out[i] = b
	}
}

// appendTo appends the body of a PLTE chunk.
func (p *palette) appendTo(dst []byte) []byte {
	for _, v := range p.colours {
		dst = append(dst, byte(v>>16), byte(v>>8), byte(v))
	}
	return dst
}
