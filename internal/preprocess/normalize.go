package preprocess

import "fmt"

// normalizer maps the samples of an image to the values of a tensor, by a table
// for each plane of the result.
type normalizer struct {
	tables [3][256]float32
	// channels is how many an image must have; 0: 1 or 3.
	channels int
	// reversed makes the last channel of an image (blue) the first plane.
	reversed bool
	summary  string
}

// raw is what a pipeline without Normalize gives: 0 to 255. Images from files
// are in OpenCV's order, blue first.
func raw(files bool) *normalizer {
	n := &normalizer{reversed: files, summary: "0..255 rgb"}
	if files {
		n.summary = "0..255 bgr"
	}
	for v := range 256 {
		for c := range n.tables {
			n.tables[c][v] = float32(v)
		}
	}
	return n
}

// normalize is mmcv.imnormalize: mean and std are single precision, the
// difference too, and its product with the double-precision 1/std is rounded
// once. toRGB does not change a grey image.
func normalize(mean, std []float64, toRGB, files bool) *normalizer {
	n := &normalizer{channels: len(mean), reversed: toRGB != files}
	for c := range mean {
		inverse := 1 / float64(float32(std[c]))
		for v := range 256 {
			n.tables[c][v] = float32(float64(float32(v)-float32(mean[c])) * inverse)
		}
	}
	order := "rgb"
	switch {
	case n.channels == 1:
		order = "grey"
	case n.reversed:
		order = "bgr"
	}
	n.summary = fmt.Sprintf("Normalize(mean=%v, std=%v, %s)", mean, std, order)
	return n
}

// tensor writes the planes of m, one after the other.
func (n *normalizer) tensor(m *Image, dst []float32) {
	if m.Grey {
		for i, v := range m.Pix[:len(dst)] {
			dst[i] = n.tables[0][v]
		}
		return
	}
	area := m.Width * m.Height
	first, last := dst[:area], dst[2*area:][:area]
	red, blue := &n.tables[0], &n.tables[2]
	if n.reversed {
		first, last = last, first
		red, blue = blue, red
	}
	n.planes(m.Pix, first, dst[area:][:area], last, red, blue)
}

func (n *normalizer) planes(pix []byte, reds, greens, blues []float32, red, blue *[256]float32) {
	green := &n.tables[1]
	greens, blues = greens[:len(reds)], blues[:len(reds)]
	for i := range reds {
		if len(pix) < 3 {
			return
		}
		reds[i], greens[i], blues[i] = red[pix[0]], green[pix[1]], blue[pix[2]]
		pix = pix[3:]
	}
}
