package frame

import (
	"encoding/binary"
	"math"
	"sync"
)

// A pixel is spread over a word in three lanes of 21 bits, blue lowest. A lane
// holds a weighted sum: 8 bits of colour, 12 of weight and one of headroom, so
// one multiplication serves three channels. Negative weights wrap around and
// come out right, because every lane's final sum plus bias is positive.
const (
	weightBits = 12
	unity      = 1 << weightBits
	lanes      = 1 | 1<<21 | 1<<42
	rounding   = lanes * (unity / 2)
	byteLanes  = lanes * 0xff
	// under is how far below zero (and above 255) Catmull-Rom can reach, with room to spare.
	under     = 64
	underBias = lanes * (under << weightBits)
	nineLanes = lanes * 0x1ff
)

var rowPool = sync.Pool{New: func() any { return new([]uint64) }}

// Scale fills dst with the whole of src: area average where it shrinks, which
// keeps the weight of thin strokes, Catmull-Rom where it grows, which keeps
// edges sharp. Each axis chooses for itself. Colours are averaged as they are
// stored, as browsers and desktops do. An empty image on either side is left alone.
func Scale(dst, src *Image) {
	if dst.Size.W < 1 || dst.Size.H < 1 || src.Size.W < 1 || src.Size.H < 1 {
		return
	}
	if dst.Size == src.Size {
		for y := range dst.Size.H {
			copy(dst.Row(y), src.Row(y))
		}
		return
	}
	across, down := newAxis(dst.Size.W, src.Size.W), newAxis(dst.Size.H, src.Size.H)
	each(cut(dst.Size.W, dst.Size.H, 1), func(_ int, s stripe) {
		buf := rowPool.Get().(*[]uint64)
		defer rowPool.Put(buf)
		if cap(*buf) < src.Size.W {
			*buf = make([]uint64, src.Size.W)
		}
		row := (*buf)[:src.Size.W]
		for y := s.y0; y < s.y1; y++ {
			down.mixRows(row, src, y)
			across.mixPixels(dst.Row(y), row)
		}
	})
}

// axis holds for every output position the first input position and taps
// weights, which sum to unity.
type axis struct {
	first   []int
	weights []uint64 // taps for each output; two's complement
	taps    int
	bias    uint64 // what a sum starts from
	signed  bool   // some weight is negative
}

func newAxis(to, from int) axis {
	a := axis{bias: rounding, signed: to > from}
	ratio := float64(from) / float64(to)
	window := areaWindow
	a.taps = int(ratio) + 2
	if a.signed {
		a.bias += underBias
		window, a.taps = catmullRomWindow, 4
	}
	wide := a.taps
	a.taps = min(a.taps, from)
	a.first = make([]int, to)
	a.weights = make([]uint64, to*a.taps)
	exact := make([]float64, a.taps)
	for i := range to {
		left, weight := window((float64(i)+0.5)*ratio, ratio)
		a.first[i] = max(0, min(left, from-a.taps))
		clear(exact)
		for k := range wide {
			at := max(0, min(left+k, from-1)) // beyond the edge its pixel repeats
			if w := weight(left + k); w != 0 {
				exact[at-a.first[i]] += w
			}
		}
		quantise(a.weights[i*a.taps:(i+1)*a.taps], exact)
	}
	return a
}

// areaWindow returns the first input position that counts for an output whose
// middle lies at centre, and how much of each position the output covers.
func areaWindow(centre, ratio float64) (int, func(int) float64) {
	lo, hi := centre-ratio/2, centre+ratio/2
	return int(lo), func(at int) float64 {
		return max(0, min(hi, float64(at+1))-max(lo, float64(at)))
	}
}

// catmullRomWindow is the same for the cubic through the four nearest pixels.
func catmullRomWindow(centre, _ float64) (int, func(int) float64) {
	return int(math.Floor(centre-0.5)) - 1, func(at int) float64 {
		switch t := math.Abs(float64(at) + 0.5 - centre); {
		case t < 1:
			return 1.5*t*t*t - 2.5*t*t + 1
		case t < 2:
			return -0.5*t*t*t + 2.5*t*t - 4*t + 2
		}
		return 0
	}
}

// quantise writes exact in units of 1/unity so that they sum to unity: what
// rounding leaves over goes to the largest.
func quantise(out []uint64, exact []float64) {
	var sum float64
	for _, w := range exact {
		sum += w
	}
	rest, largest := int64(unity), 0
	for k, w := range exact {
		v := int64(math.Round(w / sum * unity))
		out[k] = uint64(v)
		rest -= v
		if w > exact[largest] {
			largest = k
		}
	}
	out[largest] += uint64(rest)
}

// mixRows makes row the spread pixels of output row y.
func (a *axis) mixRows(row []uint64, src *Image, y int) {
	first, w := a.first[y], a.weights[y*a.taps:(y+1)*a.taps]
	for len(w) > 0 && w[len(w)-1] == 0 {
		w = w[:len(w)-1]
	}
	if len(w) == 1 {
		spreadRow(row, src.Row(first))
		return
	}
	if !a.signed && len(w) <= 3 {
		averageRows(row, src, first, w)
		return
	}
	startRow(row, src.Row(first), src.Row(first+1), w[0], w[1], a.bias)
	for k := 2; k < len(w); k++ {
		addRow(row, src.Row(first+k), w[k])
	}
	for x, sum := range row {
		if a.signed {
			row[x] = clampLanes(sum)
		} else {
			row[x] = sum >> weightBits & byteLanes
		}
	}
}

// spread puts the three channels of a pixel into lanes.
func spread(p uint32) uint64 {
	v := uint64(p)
	return v&0xff | v&0xff00<<13 | v&0xff0000<<26
}

// gather is the reverse.
func gather(v uint64) uint32 {
	return uint32(v&0xff|v>>13&0xff00|v>>26&0xff0000) | opaque
}

func spreadRow(row []uint64, p []byte) {
	for x := range row {
		row[x] = spread(binary.LittleEndian.Uint32(p[4*x:]))
	}
}

// averageRows mixes two or three rows with positive weights in one pass.
func averageRows(row []uint64, src *Image, first int, w []uint64) {
	p, q := src.Row(first)[:4*len(row)], src.Row(first + 1)[:4*len(row)]
	if len(w) == 2 {
		for x := range row {
			sum := rounding + w[0]*spread(binary.LittleEndian.Uint32(p[4*x:])) +
				w[1]*spread(binary.LittleEndian.Uint32(q[4*x:]))
			row[x] = sum >> weightBits & byteLanes
		}
		return
	}
	r := src.Row(first + 2)[:4*len(row)]
	for x := range row {
		sum := rounding + w[0]*spread(binary.LittleEndian.Uint32(p[4*x:])) +
			w[1]*spread(binary.LittleEndian.Uint32(q[4*x:])) +
			w[2]*spread(binary.LittleEndian.Uint32(r[4*x:]))
		row[x] = sum >> weightBits & byteLanes
	}
}

func startRow(row []uint64, p, q []byte, wp, wq, bias uint64) {
	p, q = p[:4*len(row)], q[:4*len(row)]
	for x := range row {
		row[x] = bias + wp*spread(binary.LittleEndian.Uint32(p[4*x:])) +
			wq*spread(binary.LittleEndian.Uint32(q[4*x:]))
	}
}

func addRow(row []uint64, p []byte, w uint64) {
	p = p[:4*len(row)]
	for x := range row {
		row[x] += w * spread(binary.LittleEndian.Uint32(p[4*x:]))
	}
}

// clampLanes turns a biased sum into spread bytes. Most need no clamping.
func clampLanes(sum uint64) uint64 {
	v := sum >> weightBits & nineLanes
	if plain := v - under*lanes; plain&^byteLanes == 0 {
		return plain
	}
	return clampLane(v&0x1ff) | clampLane(v>>21&0x1ff)<<21 | clampLane(v>>42)<<42
}

func clampLane(v uint64) uint64 { return min(max(v, under)-under, 255) }

// mixPixels makes out the output pixels of a row of spread input pixels.
func (a *axis) mixPixels(out []byte, row []uint64) {
	switch {
	case a.signed && a.taps == 4:
		for x, first := range a.first {
			in, w := (*[4]uint64)(row[first:]), (*[4]uint64)(a.weights[4*x:])
			sum := a.bias + w[0]*in[0] + w[1]*in[1] + w[2]*in[2] + w[3]*in[3]
			binary.LittleEndian.PutUint32(out[4*x:], gather(clampLanes(sum)))
		}
	case !a.signed && a.taps == 3: // shrinking by less than two
		for x, first := range a.first {
			in, w := (*[3]uint64)(row[first:]), (*[3]uint64)(a.weights[3*x:])
			sum := a.bias + w[0]*in[0] + w[1]*in[1] + w[2]*in[2]
			binary.LittleEndian.PutUint32(out[4*x:], gather(sum>>weightBits&byteLanes))
		}
	default:
		a.mixPixelsAny(out, row)
	}
}

// mixPixelsAny is mixPixels for any number of taps.
func (a *axis) mixPixelsAny(out []byte, row []uint64) {
	n := a.taps
	for x, first := range a.first {
		sum := a.bias
		in, w := row[first:first+n], a.weights[x*n:x*n+n]
		for k, v := range in {
			sum += w[k] * v
		}
		if a.signed {
			sum = clampLanes(sum)
		} else {
			sum = sum >> weightBits & byteLanes
		}
		binary.LittleEndian.PutUint32(out[4*x:], gather(sum))
	}
}
