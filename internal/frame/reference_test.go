package frame_test

import (
	"math"
	"slices"
)

// lines scales every line of in to n positions, the slow and plain way, and
// brings the result into 0 to 255.
func lines(in [][][3]float64, n int) [][][3]float64 {
	out := make([][][3]float64, len(in))
	for i, line := range in {
		for k := range n {
			var v [3]float64
			for ch := range 3 {
				v[ch] = sample(line, k, n, ch)
				v[ch] = min(max(v[ch], 0), 255)
			}
			out[i] = append(out[i], v)
		}
	}
	return out
}

func sample(line [][3]float64, k, n, ch int) float64 {
	ratio := float64(len(line)) / float64(n)
	at := func(i int) float64 { return line[min(max(i, 0), len(line)-1)][ch] }
	if ratio >= 1 { // every pixel by what it has in common with the output's
		lo, hi := float64(k)*ratio, float64(k+1)*ratio
		var sum float64
		for i := range line {
			sum += at(i) * max(0, min(hi, float64(i+1))-max(lo, float64(i)))
		}
		return sum / ratio
	}
	x := (float64(k)+0.5)*ratio - 0.5
	i := int(math.Floor(x))
	t := x - float64(i)
	a, b, c, d := at(i-1), at(i), at(i+1), at(i+2)
	return b + t/2*(c-a+t*(2*a-5*b+4*c-d+t*(3*(b-c)+d-a)))
}

// percentile returns the value that the part p of values is below.
func percentile(values []float64, p float64) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[int(p*float64(len(values)))]
}
