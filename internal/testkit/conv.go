package testkit

import (
	"math"
	"runtime"
	"sync"

	"repvgg/internal/model"
)

// Conv is a convolution that is computed from its definition.
type Conv struct{ model.Conv }

// Apply computes the definition. The shapes are: src In, h, w; weight Out,
// In/Groups, KernelH, KernelW; bias Out, or nil; out Out and the output's height
// and width. magnitude is the same sum over absolute values. It is the scale of the
// rounding error of each value of out.
func (c Conv) Apply(weight, bias, src []float64, h, w int) (out, magnitude []float64) {
	oh, ow := c.OutSize(h, w)
	in, perGroup := c.In/c.Groups, c.Out/c.Groups
	out, magnitude = make([]float64, c.Out*oh*ow), make([]float64, c.Out*oh*ow)
	for o := range c.Out {
		for y := range oh {
			for x := range ow {
				var sum, abs float64
				for k := range in {
					plane := src[(o/perGroup*in+k)*h*w:][:h*w]
					for i := range c.KernelH {
						for j := range c.KernelW {
							iy, ix := y*c.Stride-c.PadH+i*c.Dilation, x*c.Stride-c.PadW+j*c.Dilation
							v := 0.0
							if iy >= 0 && iy < h && ix >= 0 && ix < w {
								v = plane[iy*w+ix]
							}
							product := weight[((o*in+k)*c.KernelH+i)*c.KernelW+j] * v
							sum += product
							abs += math.Abs(product)
						}
					}
				}
				if bias != nil {
					sum += bias[o]
					abs += math.Abs(bias[o])
				}
				out[(o*oh+y)*ow+x], magnitude[(o*oh+y)*ow+x] = sum, abs
			}
		}
	}
	return out, magnitude
}

// quick is Apply without magnitudes, and fast enough for whole networks. It copies
// the input of each output pixel once, and computes output channels in parallel.
func (c Conv) quick(weight []float32, bias, x []float64, h, w int) []float64 {
	oh, ow := c.OutSize(h, w)
	pixels, ins, outs := oh*ow, c.In/c.Groups, c.Out/c.Groups
	depth := ins * c.Taps()
	out := make([]float64, c.Out*pixels)
	seen := make([]float64, pixels*depth)
	for g := range c.Groups {
		for p := range pixels {
			row := seen[p*depth:][:depth]
			for k := range row {
				ch, i, j := k/c.Taps(), k/c.KernelW%c.KernelH, k%c.KernelW
				y, z := p/ow*c.Stride-c.PadH+i*c.Dilation, p%ow*c.Stride-c.PadW+j*c.Dilation
				row[k] = 0
				if y >= 0 && y < h && z >= 0 && z < w {
					row[k] = x[((g*ins+ch)*h+y)*w+z]
				}
			}
		}
		var all sync.WaitGroup
		workers := runtime.GOMAXPROCS(0)
		for worker := range workers {
			all.Go(func() {
				for o := g*outs + worker; o < (g+1)*outs; o += workers {
					taps, shift := Widen(weight[o*depth:][:depth]), 0.0
					if bias != nil {
						shift = bias[o]
					}
					for p := range pixels {
						out[o*pixels+p] = shift + dot(taps, seen[p*depth:][:depth])
					}
				}
			})
		}
		all.Wait()
	}
	return out
}

// dot returns the inner product. It uses four sums so that the processor can work
// on them in parallel.
func dot(a, b []float64) float64 {
	var s0, s1, s2, s3 float64
	b = b[:len(a)]
	i := 0
	for ; i+4 <= len(a); i += 4 {
		s0 += a[i] * b[i]
		s1 += a[i+1] * b[i+1]
		s2 += a[i+2] * b[i+2]
		s3 += a[i+3] * b[i+3]
	}
	for ; i < len(a); i++ {
		s0 += a[i] * b[i]
	}
	return s0 + s1 + (s2 + s3)
}

// ReLU returns max(v, 0).
func ReLU(v float64) float64 {
	if v < 0 {
		return 0
	}
	return v
}

// Sigmoid is the logistic function.
func Sigmoid(v float64) float64 { return 1 / (1 + math.Exp(-v)) }

// Mean is the average pooling of a channel.
func Mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

// Linear computes weight times x plus bias. magnitude is as in Apply.
func Linear(x, weight, bias []float64) (out, magnitude []float64) {
	return Conv{model.Linear(len(x), len(bias))}.Apply(weight, bias, x, 1, 1)
}

// Widen converts values to float64.
func Widen(x []float32) []float64 {
	wide := make([]float64, len(x))
	for i, v := range x {
		wide[i] = float64(v)
	}
	return wide
}
