package gpu

import (
	"fmt"
	"slices"

	"repvgg/internal/gpu/cuda"
	"repvgg/internal/model"
)

// maxValues bounds the number of values of a feature map of a batch: cuDNN counts
// them in 32 bits.
const maxValues = 1<<31 - 1

// epilogue is what is done to a convolution's result, in this order: a tensor of
// its shape is added, a value for each channel is added, ReLU.
type epilogue struct {
	Add, Bias, ReLU bool
}

func roundUp(n, unit int) int { return (n + unit - 1) / unit * unit }

// channelWidths are the channels, padding included, of the Depth+1 feature maps of
// a plan, the images first. size is the number of bytes of a value. The maps before
// and after a grouped convolution are not padded, since that would shift its groups.
func channelWidths(plan *model.Plan, size int) []int {
	unit := cuda.TensorAlignment / size
	widths := make([]int, plan.Depth+1)
	for i := range widths {
		channels, grouped := plan.InChannels, false
		if i > 0 {
			channels, grouped = plan.Blocks[i-1].Out, plan.Blocks[i-1].Groups > 1
		}
		if i < plan.Depth {
			grouped = grouped || plan.Blocks[i].Groups > 1
		}
		if widths[i] = channels; !grouped {
			widths[i] = roundUp(channels, unit)
		}
	}
	return widths
}

// shapeOf is a convolution on n maps of h x w; in and out are the padded channels
// of the maps.
func shapeOf(c model.Conv, n, h, w, in, out int) cuda.ConvShape {
	return cuda.ConvShape{N: n, H: h, W: w, C: in, K: out, R: c.KernelH, Stride: c.Stride, Dilation: c.Dilation, Pad: c.PadH, Groups: c.Groups}
}

// packKRSC reorders weights from K, C/groups, R, R to K, R, R, C/groups, with zeros
// for padded channels. in and out are the padded channels of the maps.
func packKRSC(w []float32, conv model.Conv, in, out int) []float32 {
	rows, from := in/conv.Groups, conv.In/conv.Groups
	taps := conv.Taps()
	packed := make([]float32, out*taps*rows)
	for k := range conv.Out {
		for c := range from {
			for t := range taps {
				packed[(k*taps+t)*rows+c] = w[(k*from+c)*taps+t]
			}
		}
	}
	return packed
}

// packRows pads the rows of a matrix and adds rows of zeros.
func packRows(w []float32, rows, columns, paddedRows, paddedColumns int) []float32 {
	packed := make([]float32, paddedRows*paddedColumns)
	for r := range rows {
		copy(packed[r*paddedColumns:], w[r*columns:(r+1)*columns])
	}
	return packed
}

// pad adds zeros.
func pad(v []float32, n int) []float32 {
	return append(slices.Clip(v), make([]float32, n-len(v))...)
}

// arenas are the sizes in bytes of the buffers for a batch: the images as the first
// convolution takes them, the two buffers that feature maps use in turns, and the
// sum of the train form's other branches.
type arenas struct {
	Images int64
	Maps   [2]int64
	Side   int64
}

// within reports whether arenas of these sizes fit into those of b.
func (a arenas) within(b arenas) bool {
	return a.Images <= b.Images && a.Maps[0] <= b.Maps[0] && a.Maps[1] <= b.Maps[1] && a.Side <= b.Side
}

// mapSize is the number of values of n maps. It is an error if a single one has
// more than cuDNN can count.
func mapSize(name string, n, h, w, c int) (int64, error) {
	perImage := int64(h) * int64(w) * int64(c) // no overflow: the plan and Run bound each
	if perImage > maxValues {
		return 0, fmt.Errorf("block %q would give a feature map of %dx%dx%d; use smaller images", name, c, h, w)
	}
	return int64(n) * perImage, nil
}

// arenaSizes are the arenas for n images of h x w; size is the number of bytes of a
// value. fit is how many of the images stay below maxValues.
func arenaSizes(plan *model.Plan, widths []int, n, h, w, size int) (a arenas, fit int, err error) {
	fit = n
	for i, c := range widths {
		name := "images"
		if i > 0 {
			b := &plan.Blocks[i-1]
			name = b.Name
			h, w = b.OutSize(h, w)
		}
		values, err := mapSize(name, n, h, w, c)
		if err != nil {
			return arenas{}, 0, err
		}
		if values > maxValues {
			fit = min(fit, int(maxValues/(values/int64(n))))
		}
		bytes := values * int64(size)
		if i == 0 {
			a.Images = bytes
			continue
		}
		a.Maps[i%2] = max(a.Maps[i%2], bytes)
		if plan.Form == model.Train {
			a.Side = max(a.Side, bytes)
		}
	}
	return a, fit, nil
}

// programKey is the size of batch of a program.
type programKey struct{ N, H, W int }
