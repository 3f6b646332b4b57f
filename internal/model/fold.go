package model

import (
	"fmt"
	"slices"

	"repvgg/internal/tensor"
)

// Fold returns the tensors of the deploy form of p. src has the tensors of p in p's
// form. Branches are folded as they are read, in float32 and in the training
// frameworks' order of operations, so that the results are bit-identical to the
// frameworks' own conversions. All other tensors are passed through. If p has the
// deploy form, all tensors are passed through.
//
// A row of a folded weight needs the same row of each branch's weight and all
// values of the branches' norms. The norms of one block are kept at a time.
func Fold(p *Plan, src tensor.Source) tensor.Source {
	if p.Form == Deploy {
		return src
	}
	f := &folded{src: src, blocks: make(map[string]*Block)}
	for i := range p.Blocks {
		b := &p.Blocks[i]
		f.blocks[b.Weight], f.blocks[b.Bias] = b, b
	}
	return f
}

// FoldError is the error for a block whose branches fold into values that are not
// finite.
type FoldError struct{ Block, Text string }

func (e *FoldError) Error() string { return fmt.Sprintf("folding block %q: %s", e.Block, e.Text) }

type folded struct {
	src    tensor.Source
	blocks map[string]*Block // by the names of the folded tensors
	// block is the block whose affines are kept, one for each branch.
	block   *Block
	affines []affine
	scratch []float32
}

// affine is y = scale*x + shift for each channel.
type affine struct{ scale, shift []float32 }

// Rows folds rows of a block's weight or bias, or passes another tensor through.
func (f *folded) Rows(dst []float32, spec tensor.Spec, from, to int) error {
	b := f.blocks[spec.Name]
	if b == nil {
		return f.src.Rows(dst, spec, from, to)
	}
	if err := f.readNorms(b); err != nil {
		return err
	}
	what := "bias"
	if spec.Name == b.Weight {
		what = "weight"
		sum := f.weightBySteps
		if b.common() {
			sum = f.commonWeight
		}
		if err := sum(b, dst, from, to); err != nil {
			return err
		}
	} else {
		f.bias(b, dst, from, to)
	}
	width := spec.RowLen()
	for c := from; c < to; c++ {
		if !tensor.Finite(dst[(c-from)*width:][:width]) {
			return &FoldError{b.Name, fmt.Sprintf("the folded %s of channel %d is not finite; the training run diverged, or the file is damaged", what, c)}
		}
	}
	return nil
}

// readNorms computes the affines of a block's branches, from the norm and the bias
// of each.
func (f *folded) readNorms(b *Block) error {
	if f.block == b {
		return nil
	}
	f.block, f.affines = nil, make([]affine, len(b.Branches))
	for i := range b.Branches {
		branch, a := &b.Branches[i], &f.affines[i]
		var err error
		if branch.Norm != nil {
			if a.scale, a.shift, err = branch.Norm.affine32(f.src, b.Out); err != nil {
				return err
			}
		} else {
			a.scale, a.shift = slices.Repeat([]float32{1}, b.Out), make([]float32, b.Out)
		}
		if branch.Bias == "" {
			continue
		}
		bias, err := tensor.Load(f.src, tensor.Spec{Name: branch.Bias, Shape: []int{b.Out}})
		if err != nil {
			return err
		}
		for c, v := range bias {
			a.shift[c] += float32(v * a.scale[c])
		}
	}
	f.block = b
	return nil
}

// bias sums the shifts of output channels [from, to), in the branches' order.
func (f *folded) bias(b *Block, dst []float32, from, to int) {
	for c := from; c < to; c++ {
		sum := f.affines[0].shift[c]
		for _, a := range f.affines[1:] {
			sum += a.shift[c]
		}
		if !b.hasIdentity() {
			sum += 0 // see weightBySteps
		}
		dst[c-from] = sum
	}
}

// weightBySteps sums the branches' kernels of output channels [from, to), in the branches'
// order. Each is scaled by its norm and centred in the block's kernel. As in the
// frameworks, the zeros around a smaller kernel are added too, because they decide
// the sign of a sum that is zero. So does the 0 that the frameworks add for a
// missing identity.
func (f *folded) weightBySteps(b *Block, dst []float32, from, to int) error {
	in := b.In / b.Groups
	row := in * b.Taps()
	for i := range b.Branches {
		branch := &b.Branches[i]
		if branch.Identity() {
			for c := from; c < to; c++ {
				addIdentity(dst[(c-from)*row:][:row], f.affines[i].scale[c], c%in, b.Conv, i == 0)
			}
			continue
		}
		spec := branch.WeightSpec()
		own := in * branch.Conv.Taps()
		if i == 0 && own == row {
			// The first branch usually has the block's kernel size.
			if err := f.src.Rows(dst, spec, from, to); err != nil {
				return err
			}
			for c := from; c < to; c++ {
				scale, kernels := f.affines[i].scale[c], dst[(c-from)*row:][:row]
				for j, w := range kernels {
					kernels[j] = float32(scale * w)
				}
			}
			continue
		}
		if i == 0 {
			clear(dst)
		}
		f.scratch = slices.Grow(f.scratch[:0], (to-from)*own)[:(to-from)*own]
		if err := f.src.Rows(f.scratch, spec, from, to); err != nil {
			return err
		}
		for c := from; c < to; c++ {
			addKernels(dst[(c-from)*row:][:row], f.scratch[(c-from)*own:][:own], f.affines[i].scale[c], b.Conv, *branch.Conv)
		}
	}
	if !b.hasIdentity() {
		for i := range dst {
			dst[i] += 0
		}
	}
	return nil
}

// addKernels adds the scaled kernels of one output channel, with the shape small,
// to the centres of the kernels in dst, with the shape large.
func addKernels(dst, kernels []float32, scale float32, large, small Conv) {
	frame := make([]float32, large.Taps())
	top, left := (large.KernelH-small.KernelH)/2, (large.KernelW-small.KernelW)/2
	for len(kernels) > 0 {
		for y := range small.KernelH {
			for x := range small.KernelW {
				frame[(top+y)*large.KernelW+left+x] = float32(scale * kernels[y*small.KernelW+x])
			}
		}
		to := dst[:len(frame)]
		for i, v := range frame {
			to[i] += v
		}
		dst, kernels = dst[len(frame):], kernels[small.Taps():]
	}
}

// addIdentity adds the kernels of an identity for one output channel: scale at the
// centre of the kernel for the input channel own, and scale times 0 everywhere
// else. If first is true, dst is overwritten.
func addIdentity(dst []float32, scale float32, own int, c Conv, first bool) {
	taps := c.Taps()
	centre := own*taps + taps/2
	zero := scale * 0 // has scale's sign, or is NaN
	if first {
		clear(dst)
	}
	at := dst[centre]
	for i := range dst {
		dst[i] += zero
	}
	dst[centre] = at + scale
}

// FoldedBranch is a branch with its normalization folded in, for running the train
// form. It is the tensor.Source of the folded weight of its convolution.
type FoldedBranch struct {
	*Branch
	// The norm and the bias turn the output x of the convolution, or the input x of an
	// identity, into Scale*x + Shift, with a scale and a shift for each channel. The
	// folded weight includes Scale.
	Scale, Shift []float64

	src tensor.Source
}

// Fold folds the norm of branch i of the block into its convolution. It computes in
// float64, and rounds each weight once.
func (b *Block) Fold(i int, src tensor.Source) (*FoldedBranch, error) {
	f := &FoldedBranch{Branch: &b.Branches[i], src: src}
	var err error
	if f.Norm != nil {
		if f.Scale, f.Shift, err = f.Norm.Affine(src, b.Out); err != nil {
			return nil, err
		}
	} else {
		f.Scale, f.Shift = slices.Repeat([]float64{1}, b.Out), make([]float64, b.Out)
	}
	if f.Bias == "" {
		return f, nil
	}
	bias, err := tensor.Load(src, tensor.Spec{Name: f.Bias, Shape: []int{b.Out}})
	if err != nil {
		return nil, err
	}
	for c, v := range bias {
		f.Shift[c] += float64(v) * f.Scale[c]
	}
	return f, nil
}

// Rows reads rows of the convolution's weight and scales them.
func (f *FoldedBranch) Rows(dst []float32, spec tensor.Spec, from, to int) error {
	if err := f.src.Rows(dst, spec, from, to); err != nil {
		return err
	}
	width := spec.RowLen()
	for c := from; c < to; c++ {
		scale, row := f.Scale[c], dst[(c-from)*width:][:width]
		for i, w := range row {
			row[i] = float32(float64(w) * scale)
		}
	}
	return nil
}
