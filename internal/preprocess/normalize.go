package preprocess

import (
	"fmt"
	"math"

	"repvgg/internal/config"
)

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

func newNormalize(s config.Section, files bool) (*normalizer, error) {
	opts := struct {
		Mean  []float64 `config:"mean,required"`
		Std   []float64 `config:"std,required"`
		ToRGB bool      `config:"to_rgb"`
	}{ToRGB: true}
	if err := s.DecodeStrict(&opts); err != nil {
		return nil, err
	}
	if n := len(opts.Mean); n != 1 && n != 3 {
		return nil, s.Errorf("mean", "want 3 numbers, or 1 for grey images, got %d", n)
	}
	if len(opts.Std) != len(opts.Mean) {
		return nil, s.Errorf("std", "want as many numbers as mean has, %d, got %d", len(opts.Mean), len(opts.Std))
	}
	for _, l := range []struct {
		key    string
		values []float64
	}{{"mean", opts.Mean}, {"std", opts.Std}} {
		for _, v := range l.values {
			if v32 := float64(float32(v)); math.IsNaN(v32) || math.IsInf(v32, 0) || l.key == "std" && v32 == 0 {
				return nil, s.Errorf(l.key, "%v is not a number to normalise with", v)
			}
		}
	}
	return normalize(opts.Mean, opts.Std, opts.ToRGB, files), nil
}

// normalize is mmcv.imnormalize: mean and std are single precision, the
// difference too, and its product with the double-precision 1/std is rounded
// once. to_rgb exchanges the first and the last channel, whatever they are: blue
// and red of a file, red and blue of an array. A grey image it leaves as it is.
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
