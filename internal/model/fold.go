package model

import (
	"fmt"
	"slices"

	"repvgg/internal/tensor"
)

// Fold gives the deploy form's tensors of a network of which src has those of
// p's form. Branches are folded as they are read, in float32 and in the training
// frameworks' order of operations, so that the results have the bits of their own
// conversions; all else is handed on. What is in the deploy form already stays
// as it is.
//
// A row of a folded weight needs the same row of each branch's weight, and all
// values of their norms, which are kept for one block at a time.
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

// FoldError is a block whose branches do not fold into something finite.
type FoldError struct{ Block, Text string }

func (e *FoldError) Error() string { return fmt.Sprintf("folding block %q: %s", e.Block, e.Text) }

type folded struct {
	src    tensor.Source
	blocks map[string]*Block // by the names of their folded tensors
	// block is the one whose affines are kept: one a branch.
	block   *Block
	affines []affine
	scratch []float32
}

// affine is y = scale*x + shift for each channel.
type affine struct{ scale, shift []float32 }

// Rows folds rows of a block's weight or bias, or hands another tensor on.
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
		add := f.weightBySteps
		if b.common() {
			add = f.commonWeight
		}
		if err := add(b, dst, from, to); err != nil {
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

// readNorms makes the affines of a block's branches: what its norm and its bias
// make of the sums of a convolution.
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

// bias adds the shifts of output channels [from, to) up, in the branches' order.
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

// weightBySteps adds the branches' kernels of output channels [from, to) up, in the
// branches' order, each scaled by its norm and centred in the block's kernel. The
// zeros around a smaller kernel are added too, as the frameworks do: they decide
// the sign of a sum that is zero. So does the number 0 that they add in place of
// an identity that a block lacks.
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
			// The first branch mostly has the whole kernel.
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

// addKernels adds the scaled kernels of one output channel, of the shape small,
// to the centres of those of dst, of the shape large.
func addKernels(dst, kernels []float32, scale float32, large, small Conv) {
	centre := make([]int, 0, small.Taps()) // of a kernel of dst
	top, left := (large.KernelH-small.KernelH)/2, (large.KernelW-small.KernelW)/2
	for y := range small.KernelH {
		for x := range small.KernelW {
			centre = append(centre, (top+y)*large.KernelW+left+x)
		}
	}
	sums := make([]float32, len(centre))
	for taps := large.Taps(); len(kernels) > 0; dst, kernels = dst[taps:], kernels[len(centre):] {
		to := dst[:taps]
		for i, at := range centre {
			sums[i] = to[at] + float32(scale*kernels[i])
		}
		for i := range to {
			to[i] += 0
		}
		for i, at := range centre {
			to[at] = sums[i]
		}
	}
}

// addIdentity adds the kernels of a scaled identity for one output channel: a 1
// at the centre of the kernel for the input channel own, times scale, and zeros
// times scale. first is set where there is nothing yet to add to.
func addIdentity(dst []float32, scale float32, own int, c Conv, first bool) {
	taps := c.Taps()
	centre := own*taps + taps/2
	zero := scale * 0 // of scale's sign, or NaN
	if first {
		clear(dst)
	}
	at := dst[centre]
	for i := range dst {
		dst[i] += zero
	}
	dst[centre] = at + scale
}

// FoldedBranch is a branch whose normalization is folded into it, for running
// the train form. It is the tensor.Source of its convolution's weight.
type FoldedBranch struct {
	*Branch
	// Scale and Shift are what the norm and the bias make of the convolution's sums,
	// or of the input of an identity: Scale*x + Shift for each channel. Scale is in
	// the weights that Rows gives.
	Scale, Shift []float64

	src tensor.Source
}

// Fold folds the norm of branch i of the block into its convolution, in float64;
// each weight is rounded once.
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

// Rows reads rows of the weight and scales them.
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
