package gpu

import (
	"fmt"
	"slices"

	"repvgg/internal/model"
)

// alignment is that of everything in device memory, and of rows of channels
// where they are padded: tensor cores load 16 bytes.
const (
	alignment    = 256
	rowAlignment = 16
)

// maxValues bounds a feature map of a batch: cuDNN counts in 32 bits.
const maxValues = 1<<31 - 1

// convShape is a convolution as cuDNN sees it: x is N, H, W, C; y is N, P, Q, K;
// w is K, R, R, C/Groups. All are dense, the channels padded already.
type convShape struct {
	N, H, W, C            int
	K, R                  int
	Stride, Dilation, Pad int
	Groups                int
}

// out is the height and width of the result. Padding makes the kernel's reach
// cancel out.
func (s convShape) out() (p, q int) { return (s.H-1)/s.Stride + 1, (s.W-1)/s.Stride + 1 }

// results is the number of values of y.
func (s convShape) results() int64 {
	p, q := s.out()
	return int64(s.N) * int64(p) * int64(q) * int64(s.K)
}

// epilogue is what follows a convolution, in this order.
type epilogue struct {
	// Add adds a tensor of the result's shape, Bias a value for each channel.
	Add, Bias, ReLU bool
}

func roundUp(n, unit int) int { return (n + unit - 1) / unit * unit }

// channelWidths are the channels, padding included, of the Depth+1 feature maps
// of a plan, the images first. Neighbours of a grouped convolution are not
// padded: its groups must stay where they are.
func channelWidths(plan *model.Plan, size int) []int {
	unit := rowAlignment / size
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
func shapeOf(c model.Conv, n, h, w, in, out int) convShape {
	return convShape{N: n, H: h, W: w, C: in, K: out, R: c.KernelH, Stride: c.Stride, Dilation: c.Dilation, Pad: c.PadH, Groups: c.Groups}
}

// packKRSC takes weights from K, C/groups, R, R to K, R, R, C/groups, with zeros
// where channels are padded. in and out are the padded channels of the maps.
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

// arenas are the sizes in bytes of the buffers that n images of h x w need: the
// images as the first convolution takes them, the feature maps in turns, and the
// sum of branches of the train form.
type arenas struct {
	Images int64
	Maps   [2]int64
	Side   int64
}

// within tells whether arenas of these sizes fit in those of b.
func (a arenas) within(b arenas) bool {
	return a.Images <= b.Images && a.Maps[0] <= b.Maps[0] && a.Maps[1] <= b.Maps[1] && a.Side <= b.Side
}

// mapSize is the number of values of n maps; an error if cuDNN can't count them.
func mapSize(name string, n, h, w, c int) (int64, error) {
	perImage := int64(h) * int64(w) * int64(c) // each is bounded by the plan and by Run
	if perImage > maxValues {
		return 0, fmt.Errorf("block %q would give a feature map of %dx%dx%d; use smaller images", name, c, h, w)
	}
	return int64(n) * perImage, nil
}

// arenaSizes lays out the maps of a plan, and says how many images fit beneath
// maxValues: less than n if n are too many.
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

// programKey names a captured program.
type programKey struct{ N, H, W int }
