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
	// source is the channel of an Image (0 red, 1 green, 2 blue) that each
	// plane is made of.
	source  [3]int
	summary string
}

// raw is what a pipeline without Normalize gives: 0 to 255 in OpenCV's order,
// blue first.
func raw() *normalizer {
	n := &normalizer{source: [3]int{2, 1, 0}}
	for v := range 256 {
		for c := range n.tables {
			n.tables[c][v] = float32(v)
		}
	}
	return n
}

func newNormalize(s config.Section) (*normalizer, error) {
	opts := struct {
		Mean  []float64 `config:"mean,required"`
		Std   []float64 `config:"std,required"`
		ToRGB bool      `config:"to_rgb"`
	}{ToRGB: true}
	if err := s.DecodeStrict(&opts); err != nil {
		return nil, err
	}
	for _, l := range []struct {
		key    string
		values []float64
	}{{"mean", opts.Mean}, {"std", opts.Std}} {
		if len(l.values) != 3 {
			return nil, s.Errorf(l.key, "want 3 numbers, got %d", len(l.values))
		}
		for _, v := range l.values {
			if v32 := float64(float32(v)); math.IsNaN(v32) || math.IsInf(v32, 0) || l.key == "std" && v32 == 0 {
				return nil, s.Errorf(l.key, "%v is not a number to normalise with", v)
			}
		}
	}
	return normalize([3]float64(opts.Mean), [3]float64(opts.Std), opts.ToRGB), nil
}

// normalize is mmcv.imnormalize: mean and std are single precision, the
// difference too, and its product with the double-precision 1/std is rounded once.
func normalize(mean, std [3]float64, toRGB bool) *normalizer {
	n := &normalizer{source: [3]int{2, 1, 0}}
	order := "bgr"
	if toRGB {
		n.source, order = [3]int{0, 1, 2}, "rgb"
	}
	for c := range n.tables {
		inverse := 1 / float64(float32(std[c]))
		for v := range 256 {
			n.tables[c][v] = float32(float64(float32(v)-float32(mean[c])) * inverse)
		}
	}
	n.summary = fmt.Sprintf("Normalize(mean=%v, std=%v, %s)", mean, std, order)
	return n
}

// tensor writes the planes of m, one after the other; len(dst) is 3*H*W.
func (n *normalizer) tensor(m *Image, dst []float32) {
	area := m.Width * m.Height
	p0, p1, p2 := dst[:area], dst[area:][:area], dst[2*area:][:area]
	t0, t1, t2 := &n.tables[0], &n.tables[1], &n.tables[2]
	if n.source[0] == 0 {
		p := m.Pix
		for i := 0; i < area && len(p) >= 3; i++ {
			p0[i], p1[i], p2[i] = t0[p[0]], t1[p[1]], t2[p[2]]
			p = p[3:]
		}
		return
	}
	p := m.Pix
	for i := 0; i < area && len(p) >= 3; i++ {
		p0[i], p1[i], p2[i] = t0[p[2]], t1[p[1]], t2[p[0]]
		p = p[3:]
	}
}
