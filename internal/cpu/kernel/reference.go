package kernel

import "math"

// The functions below are what the fast ones are held against: the definition
// as plain loops in float64.

// RefConv is Conv.Run for a whole map, without an epilogue; bias may be nil.
// magnitude is the same sum of absolute values: the scale of what rounding may
// do to each output.
func RefConv(s ConvShape, weight, bias, src []float64, h, w int) (out, magnitude []float64) {
	oh, ow := s.OutSize(h, w)
	in, perGroup := s.In/s.Groups, s.Out/s.Groups
	out, magnitude = make([]float64, s.Out*oh*ow), make([]float64, s.Out*oh*ow)
	for o := range s.Out {
		for y := range oh {
			for x := range ow {
				var sum, abs float64
				for c := range in {
					plane := src[(o/perGroup*in+c)*h*w:][:h*w]
					for i := range s.Kernel {
						for j := range s.Kernel {
							iy, ix := y*s.Stride-s.Pad+i*s.Dilation, x*s.Stride-s.Pad+j*s.Dilation
							v := 0.0
							if iy >= 0 && iy < h && ix >= 0 && ix < w {
								v = plane[iy*w+ix]
							}
							product := weight[((o*in+c)*s.Kernel+i)*s.Kernel+j] * v
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

// RefReLU is ReLU for one value.
func RefReLU(v float64) float64 {
	if v < 0 {
		return 0
	}
	return v
}

// RefSigmoid is Sigmoid for one value.
func RefSigmoid(v float64) float64 { return 1 / (1 + math.Exp(-v)) }

// RefMean is GlobalAvgPool for one channel.
func RefMean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

// RefLinear is Linear; magnitude is as for RefConv.
func RefLinear(x, weight, bias []float64) (out, magnitude []float64) {
	return RefConv(ConvShape{In: len(x), Out: len(bias), Kernel: 1, Stride: 1, Dilation: 1, Groups: 1}, weight, bias, x, 1, 1)
}
