package model

import "fmt"

// Conv is the shape of a 2-D convolution. All packages use this type. The padding's
// zeros take part in the sums, so an infinite weight gives NaN at the edges.
// Weights are in the order Out, In/Groups, KernelH, KernelW.
type Conv struct {
	In, Out          int // channels
	KernelH, KernelW int
	Stride           int // in both directions
	PadH, PadW       int // on each side
	Dilation         int // in both directions
	Groups           int
}

// Check returns an error if the shape is invalid.
func (c Conv) Check() error {
	switch {
	case c.In < 1 || c.Out < 1 || c.KernelH < 1 || c.KernelW < 1 || c.Stride < 1 || c.Dilation < 1 || c.Groups < 1 || c.PadH < 0 || c.PadW < 0:
		return fmt.Errorf("convolution %+v: want positive sizes and a padding of at least 0", c)
	case c.In%c.Groups != 0 || c.Out%c.Groups != 0:
		return fmt.Errorf("convolution %+v: %d groups do not divide the channels", c, c.Groups)
	}
	return nil
}

// OutSize returns the height and width of the output for an input of h x w. A value
// is below 1 if the kernel with its dilation is larger than the padded input.
func (c Conv) OutSize(h, w int) (int, int) {
	size := func(in, kernel, pad int) int {
		reach := c.Dilation*(kernel-1) + 1
		if in+2*pad < reach {
			return 0
		}
		return (in+2*pad-reach)/c.Stride + 1
	}
	return size(h, c.KernelH, c.PadH), size(w, c.KernelW, c.PadW)
}

// Taps returns the number of weights for one input channel and one output channel.
func (c Conv) Taps() int { return c.KernelH * c.KernelW }

// WeightShape returns the shape of the weight tensor.
func (c Conv) WeightShape() []int { return []int{c.Out, c.In / c.Groups, c.KernelH, c.KernelW} }

// Pointwise returns the 1 x 1 convolution with the same channels, stride and
// groups.
func (c Conv) Pointwise() Conv { return c.Kernel(1, 1) }

// Kernel returns the convolution with another kernel, of odd height and width, that
// has the same centre as c's.
func (c Conv) Kernel(h, w int) Conv {
	c.PadH += c.Dilation * (h - c.KernelH) / 2
	c.PadW += c.Dilation * (w - c.KernelW) / 2
	c.KernelH, c.KernelW = h, w
	if h == 1 && w == 1 {
		c.Dilation = 1
	}
	return c
}

// Linear returns a fully connected layer as a 1 x 1 convolution of a map of one
// pixel.
func Linear(in, out int) Conv {
	return Conv{In: in, Out: out, KernelH: 1, KernelW: 1, Stride: 1, Dilation: 1, Groups: 1}
}
