package kernel

import (
	"errors"
	"fmt"
)

// ConvShape describes a 2-D convolution with a square kernel. Padding is with
// zeros that take part in the sums: an infinite weight gives NaN at the border.
type ConvShape struct {
	In, Out  int // channels
	Kernel   int // height and width
	Stride   int
	Pad      int // on each of the four sides
	Dilation int
	Groups   int
}

// Check reports a shape that cannot be computed.
func (s ConvShape) Check() error {
	switch {
	case s.In < 1 || s.Out < 1 || s.Kernel < 1 || s.Stride < 1 || s.Dilation < 1 || s.Groups < 1 || s.Pad < 0:
		return fmt.Errorf("convolution %+v: want positive sizes and a padding of at least 0", s)
	case s.In%s.Groups != 0 || s.Out%s.Groups != 0:
		return fmt.Errorf("convolution %+v: %d groups do not divide the channels", s, s.Groups)
	}
	return nil
}

// OutSize is the height and width of the output for an input of h x w; either
// is below 1 if the kernel's reach exceeds the padded input.
func (s ConvShape) OutSize(h, w int) (int, int) {
	reach := s.Dilation*(s.Kernel-1) + 1
	size := func(in int) int {
		if in+2*s.Pad < reach {
			return 0
		}
		return (in+2*s.Pad-reach)/s.Stride + 1
	}
	return size(h), size(w)
}

// WeightLen is the number of weights: Out, In/Groups, Kernel, Kernel.
func (s ConvShape) WeightLen() int { return s.Out * s.depth() }

// depth is the number of products in the sum of one output: the rows of a
// patch, In/Groups, Kernel, Kernel.
func (s ConvShape) depth() int { return s.In / s.Groups * s.Kernel * s.Kernel }

// Conv is a convolution with packed weights. It is read-only after NewConv.
type Conv struct {
	ConvShape
	// weights holds the panels one after the other. A panel is the weights of
	// up to mr output channels of one group, as depth rows of mr; channels that
	// a group's last panel lacks are zero.
	weights [][mr]float32
	bias    [][mr]float32 // a row for each panel
	panels  int           // per group
}

// NewConv packs a convolution. weight is Out, In/Groups, Kernel, Kernel;
// bias is Out, or nil for zeros. Neither is kept.
func NewConv(s ConvShape, weight, bias []float32) (*Conv, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	if len(weight) != s.WeightLen() {
		return nil, fmt.Errorf("convolution %+v: want %d weights, got %d", s, s.WeightLen(), len(weight))
	}
	if bias != nil && len(bias) != s.Out {
		return nil, errors.New("convolution: want a bias for each output channel")
	}
	perGroup := s.Out / s.Groups
	c := &Conv{ConvShape: s, panels: (perGroup + mr - 1) / mr}
	c.bias = make([][mr]float32, c.Panels())
	c.weights = make([][mr]float32, c.Panels()*s.depth())
	for out := range s.Out {
		inGroup := out % perGroup
		panel, lane := out/perGroup*c.panels+inGroup/mr, inGroup%mr
		if bias != nil {
			c.bias[panel][lane] = bias[out]
		}
		rows := c.panel(panel)
		for k, v := range weight[out*s.depth():][:s.depth()] {
			rows[k][lane] = v
		}
	}
	return c, nil
}

// Panels is the number of panels of output channels, the unit in which work
// is divided by channels.
func (c *Conv) Panels() int { return c.Groups * c.panels }

func (c *Conv) panel(p int) [][mr]float32 {
	return c.weights[p*c.depth():][:c.depth()]
}

// Channels is the range of output channels of the panels [from, to).
func (c *Conv) Channels(from, to int) (int, int) { return c.firstChannel(from), c.firstChannel(to) }

func (c *Conv) firstChannel(panel int) int {
	perGroup := c.Out / c.Groups
	return panel/c.panels*perGroup + panel%c.panels*mr
}

// patchFloats bounds a patch buffer: half of a common L2 cache.
const patchFloats = 64 << 10

// TilePixels is how many output pixels are computed together, the unit in
// which work is divided by pixels.
func (c *Conv) TilePixels() int {
	return max(1, patchFloats/(c.depth()*nr)) * nr
}

// Scratch is the memory that one goroutine needs to run convolutions.
type Scratch struct {
	patches [][nr]float32
}

// Reserve makes the scratch large enough for c.
func (s *Scratch) Reserve(c *Conv) {
	if n := c.TilePixels() / nr * c.depth(); n > len(s.patches) {
		s.patches = make([][nr]float32, n)
	}
}
