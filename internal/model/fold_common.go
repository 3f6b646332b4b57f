package model

import "slices"

// common reports whether the branches are RepVGG's: a 3x3 kernel, a 1x1 kernel and,
// optionally, the identity. Nearly all weights are in such blocks.
func (b *Block) common() bool {
	n := len(b.Branches)
	return b.KernelH == 3 && b.KernelW == 3 && (n == 2 || n == 3 && b.Branches[2].Identity()) &&
		!b.Branches[0].Identity() && b.Branches[0].Conv.Taps() == 9 && !b.Branches[1].Identity() && b.Branches[1].Conv.Taps() == 1
}

// commonWeight is weightBySteps for such a block, in a single pass.
func (f *folded) commonWeight(b *Block, dst []float32, from, to int) error {
	in := b.In / b.Groups
	f.scratch = slices.Grow(f.scratch[:0], (to-from)*in)[:(to-from)*in]
	if err := f.src.Rows(dst, b.Branches[0].WeightSpec(), from, to); err != nil {
		return err
	}
	if err := f.src.Rows(f.scratch, b.Branches[1].WeightSpec(), from, to); err != nil {
		return err
	}
	for c := from; c < to; c++ {
		kernels, points := dst[(c-from)*in*9:][:in*9], f.scratch[(c-from)*in:][:in]
		scale, pointScale := f.affines[0].scale[c], f.affines[1].scale[c]
		if len(b.Branches) == 2 {
			foldKernels(kernels, points, scale, pointScale, 0)
			continue
		}
		own, identity := c%in, f.affines[2].scale[c]
		centre := float32(scale*kernels[own*9+4]) + float32(pointScale*points[own])
		foldKernels(kernels, points, scale, pointScale, identity*0)
		kernels[own*9+4] = centre + identity
	}
	return nil
}

// foldKernels sums the kernels of one output channel in place: scale times each of
// kernels, plus pointScale times each of points with zeros around it, plus zero.
func foldKernels(kernels, points []float32, scale, pointScale, zero float32) {
	for _, p := range points {
		k := (*[9]float32)(kernels)
		k[0], k[1], k[2] = float32(scale*k[0])+0+zero, float32(scale*k[1])+0+zero, float32(scale*k[2])+0+zero
		k[3], k[4], k[5] = float32(scale*k[3])+0+zero, float32(scale*k[4])+float32(pointScale*p)+zero, float32(scale*k[5])+0+zero
		k[6], k[7], k[8] = float32(scale*k[6])+0+zero, float32(scale*k[7])+0+zero, float32(scale*k[8])+0+zero
		kernels = kernels[9:]
	}
}
