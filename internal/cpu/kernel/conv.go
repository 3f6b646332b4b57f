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
	variant *Variant
	// weights holds the panels one after the other. A panel is the weights of
	// up to variant.rows output channels of one group, as depth rows of
	// variant.rows; channels that a group's last panel lacks are zero.
	weights []float32
	bias    []float32 // variant.rows for each panel
	panels  int       // per group
	// How kernel rows are gathered: those that read the same input rows
	// together, or each for itself.
	shared, separate []tapRows
}

// NewConv packs a convolution for the fastest variant. weight is Out,
// In/Groups, Kernel, Kernel; bias is Out, or nil for zeros. Neither is kept.
func NewConv(s ConvShape, weight, bias []float32) (*Conv, error) {
	return variants[0].NewConv(s, weight, bias)
}

// NewConv is the function of this name, for a variant of choice.
func (v *Variant) NewConv(s ConvShape, weight, bias []float32) (*Conv, error) {
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
	c := &Conv{ConvShape: s, variant: v, panels: (perGroup + v.rows - 1) / v.rows}
	c.shared, c.separate = s.tapRows(true), s.tapRows(false)
	c.bias = make([]float32, c.Panels()*v.rows)
	c.weights = make([]float32, c.Panels()*s.depth()*v.rows)
	for out := range s.Out {
		inGroup := out % perGroup
		panel, row := out/perGroup*c.panels+inGroup/v.rows, inGroup%v.rows
		if bias != nil {
			c.bias[panel*v.rows+row] = bias[out]
		}
		packed := c.panel(panel)
		for k, value := range weight[out*s.depth():][:s.depth()] {
			packed[k*v.rows+row] = value
		}
	}
	return c, nil
}

// Panels is the number of panels of output channels, the unit in which work
// is divided by channels.
func (c *Conv) Panels() int { return c.Groups * c.panels }

func (c *Conv) panel(p int) []float32 {
	n := c.depth() * c.variant.rows
	return c.weights[p*n:][:n]
}

// Channels is the range of output channels of the panels [from, to).
func (c *Conv) Channels(from, to int) (int, int) { return c.firstChannel(from), c.firstChannel(to) }

func (c *Conv) firstChannel(panel int) int {
	perGroup := c.Out / c.Groups
	return panel/c.panels*perGroup + panel%c.panels*c.variant.rows
}
