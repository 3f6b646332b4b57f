package preprocess

import (
	"fmt"
	"math"
)

// cropStep is MMClassification's CenterCrop. An image that is smaller along an
// axis keeps its size there.
type cropStep struct {
	height, width int
	// In EfficientNet's style the crop grows with the image, to the part
	// size/(size+padding) of its short side, and is then resized to size.
	padding int
	resizer *resizer // nil: the plain style
}

func (c *cropStep) apply(m *Image, b *buffers) (*Image, error) {
	height, width := float64(c.height), float64(c.width)
	if c.resizer != nil {
		short := float64(min(m.Height, m.Width))
		height = height / float64(c.height+c.padding) * short
		width = width / float64(c.width+c.padding) * short
	}
	y0, y1 := middle(m.Height, height)
	x0, x1 := middle(m.Width, width)
	out, err := crop(m, x0, y0, x1, y1, b)
	if err == nil && c.resizer != nil {
		out, err = c.resizer.apply(out, whole(c.width, c.height), b)
	}
	if err != nil {
		return nil, c.explain(m.Width, m.Height, err)
	}
	return out, nil
}

// window is what a crop in the plain style keeps of an image.
func (c *cropStep) window(width, height int) part {
	p := part{width: width, height: height}
	p.y0, p.y1 = middle(height, float64(c.height))
	p.x0, p.x1 = middle(width, float64(c.width))
	return p
}

func (c *cropStep) explain(width, height int, err error) error {
	return fmt.Errorf("cropping %dx%d (width x height) with %s: %w", width, height, c, err)
}

// middle is the range of length want in the middle of 0..n, which is rounded
// as Python rounds: ties to even. Its last element is truncated.
func middle(n int, want float64) (from, to int) {
	from = max(0, int(math.RoundToEven((float64(n)-want)/2)))
	last := int(math.Min(float64(n), float64(from)+want) - 1)
	return min(from, n-1), min(max(last, 0), n-1) + 1
}

func crop(m *Image, x0, y0, x1, y1 int, b *buffers) (*Image, error) {
	if x0 == 0 && y0 == 0 && x1 == m.Width && y1 == m.Height {
		return m, nil
	}
	out, err := b.image(m, x1-x0, y1-y0)
	if err != nil {
		return nil, err
	}
	c := m.Channels()
	for y := range out.Height {
		copy(out.row(y), m.row(y0 + y)[c*x0:c*x1])
	}
	return out, nil
}

func (c *cropStep) sizes(in bounds) bounds {
	if c.resizer != nil {
		return bounds{span{c.height, c.height}, span{c.width, c.width}}
	}
	return bounds{
		span{min(in.height.low, c.height), min(in.height.high, c.height)},
		span{min(in.width.low, c.width), min(in.width.high, c.width)},
	}
}

func (c *cropStep) String() string {
	if c.resizer != nil {
		return fmt.Sprintf("CenterCrop(%dx%d of +%d, %s, %s)", c.height, c.width, c.padding, c.resizer.interpolation, c.resizer.backend)
	}
	return fmt.Sprintf("CenterCrop(%dx%d)", c.height, c.width)
}
