package frame

import "encoding/binary"

// What Encode's choice rests on; docs/decisions/0002-screenshot-encoding.md has
// the measurements.
const (
	// surpriseBytes is what a pixel that is neither its left nor its upper
	// neighbour's colour costs in a PNG, all others included.
	surpriseBytes = 2.1
	// pngPerPixel is the bytes a pixel up to which lossless is worth it. Text on
	// plain ground takes half of it, photographs and dithered wallpapers several times.
	pngPerPixel = 0.3
	// pngAlways is the size in bytes below which there is nothing to save.
	pngAlways = 64_000
	// sampleStep is how many rows lie between those that are looked at: odd, so
	// that it does not go in step with lines of text.
	sampleStep = 7
)

// choose names the format that is legible in few bytes, without encoding.
func choose(img *Image) string {
	pixels := float64(img.Size.W * img.Size.H)
	size := pixels * surprises(img) * surpriseBytes
	if size <= max(pixels*pngPerPixel, pngAlways) {
		return "png"
	}
	return "jpeg"
}

// surprises returns the share of pixels that neither the left nor the upper
// neighbour foretells, judged by some of the rows.
func surprises(img *Image) float64 {
	step := max(1, min(sampleStep, img.Size.H/16))
	found, seen := 0, 0
	for y := 1; y < img.Size.H; y += step {
		row, above := img.Row(y), img.Row(y-1)
		seen += img.Size.W
		left := binary.LittleEndian.Uint32(row)
		for len(row) >= 4 && len(above) >= 4 {
			p := binary.LittleEndian.Uint32(row)
			if (p^left)&colour != 0 && (p^binary.LittleEndian.Uint32(above))&colour != 0 {
				found++
			}
			left, row, above = p, row[4:], above[4:]
		}
	}
	if seen == 0 {
		return 0
	}
	return float64(found) / float64(seen)
}
