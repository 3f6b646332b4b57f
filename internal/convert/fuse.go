package convert

import (
	"context"
	"fmt"
	"math"

	"golang.org/x/sync/errgroup"

	"repvgg/internal/atomicfile"
	"repvgg/internal/checkpoint"
	"repvgg/internal/model"
	"repvgg/internal/tensor"
)

// WriteDeploy writes to path the deploy form of a training checkpoint: for
// each block the squeeze-and-excitation layer as it is and the fused
// convolution, then the head, all as float32. Tensors stream through in slices
// of output channels, so that memory does not grow with the network.
//
// src must match plan (see Match); in the deploy form it is written as it is. The
// tensors get the names of naming. check, unless nil, is given the complete file
// under a temporary name and may refuse it. A failed run leaves no file.
func WriteDeploy(ctx context.Context, plan *model.Plan, src *checkpoint.File, path string, naming *Naming, check func(tmp string) error) error {
	if atomicfile.Same(src.Path, path) {
		return fmt.Errorf("writing checkpoint %q: it is the checkpoint that is read, whose branches can't be had back; give another name", path)
	}
	deploy := plan.As(model.Deploy)
	var modules []string
	if naming == MMClassification {
		modules = deploy.Modules()
	}
	dst, err := checkpoint.Create(path, naming.Named(deploy.Tensors()), modules)
	if err != nil {
		return err
	}
	defer dst.Abort()
	if err := fuse(ctx, plan, src, dst); err != nil {
		return err
	}
	if err := src.Verify(); err != nil {
		return err
	}
	tmp, err := dst.Finish()
	if err != nil {
		return err
	}
	if check != nil {
		if err := check(tmp); err != nil {
			return err
		}
	}
	return dst.Commit()
}

// fuse goes through the network, reading and fusing one slice while the one
// before is being written.
func fuse(ctx context.Context, plan *model.Plan, src *checkpoint.File, dst *checkpoint.Writer) error {
	g, ctx := errgroup.WithContext(ctx)
	f := fuser{ctx: ctx, src: src, full: make(chan []float32), free: make(chan []float32, buffers)}
	for range buffers {
		f.free <- nil
	}
	g.Go(func() error {
		for values := range f.full {
			if err := dst.Write(values); err != nil {
				return err
			}
			f.free <- values
		}
		return nil
	})
	g.Go(func() error {
		defer close(f.full)
		if plan.Form == model.Deploy {
			return f.copy(plan.Tensors()...)
		}
		for i := range plan.Blocks {
			if err := f.block(&plan.Blocks[i]); err != nil {
				return err
			}
		}
		return f.copy(plan.HeadTensors()...)
	})
	return g.Wait()
}

const (
	// sliceLen is how many values of a convolution are fused at a time.
	sliceLen = 256 << 10
	// buffers for slices: one being fused, one being written, one between.
	buffers = 3
)

// fuser reads a training checkpoint and sends the values of the deploy form, in
// order, through full. The receiver gives the buffers back through free.
type fuser struct {
	ctx        context.Context
	src        *checkpoint.File
	full, free chan []float32
	// Scratch: raw bytes, and a slice of the 1x1 convolution.
	buf []byte
	w1  []float32
}

// buffer gives a buffer of n values.
func (f *fuser) buffer(n int) ([]float32, error) {
	select {
	case b := <-f.free:
		return grow(b, n), nil
	case <-f.ctx.Done():
		return nil, f.ctx.Err()
	}
}

func grow(b []float32, n int) []float32 {
	if cap(b) < n {
		return make([]float32, n)
	}
	return b[:n]
}

// send passes a buffer on to be written.
func (f *fuser) send(values []float32) error {
	select {
	case f.full <- values:
		return nil
	case <-f.ctx.Done():
		return f.ctx.Err()
	}
}

func (f *fuser) block(b *model.Block) error {
	if err := f.copy(b.SETensors()...); err != nil {
		return err
	}
	branches, err := f.branches(b)
	if err != nil {
		return err
	}
	if err := f.weight(b, branches); err != nil {
		return err
	}
	bias, err := f.buffer(b.Out)
	if err != nil {
		return err
	}
	branches.bias(bias)
	for c, v := range bias {
		if err := f.checkFinite(b, "bias", c, v-v); err != nil {
			return err
		}
	}
	return f.send(bias)
}

// branches are the normalizations of a block as scales and shifts of its
// output channels. identity is nil without an identity branch.
type branches struct {
	conv3x3, conv1x1, identity *affine
}

// affine is y = scale*x + shift for each channel.
type affine struct{ scale, shift []float32 }

func (f *fuser) branches(b *model.Block) (branches, error) {
	var br branches
	var err error
	if br.conv3x3, err = f.norm(b, b.Conv3x3()); err != nil {
		return br, err
	}
	if br.conv1x1, err = f.norm(b, b.Conv1x1()); err != nil {
		return br, err
	}
	if b.Identity {
		br.identity, err = f.norm(b, b.IdentityNorm())
	}
	return br, err
}

// norm computes, in float32 and in the order of the original's _fuse_conv_bn,
//
//	std   = sqrt(var + eps)
//	scale = gamma / std
//	shift = (-mean * gamma) / std + beta
func (f *fuser) norm(b *model.Block, names model.ConvBN) (*affine, error) {
	var v [4][]float32
	varName := f.src.Tensors[names.Var()].Name // as the file has it
	for i, name := range []string{names.Gamma(), names.Beta(), names.Mean(), names.Var()} {
		var err error
		if v[i], err = f.src.Float32(name); err != nil {
			return nil, err
		}
	}
	gamma, beta, mean, variance := v[0], v[1], v[2], v[3]
	a := &affine{scale: make([]float32, b.Out), shift: make([]float32, b.Out)}
	eps := float32(b.Eps)
	for c := range a.scale {
		if !(variance[c] >= 0 && variance[c] <= math.MaxFloat32) {
			return nil, fmt.Errorf("reading checkpoint %q: block %q: %s of channel %d is %v; the training run diverged, or the file is damaged",
				f.src.Path, b.Name, varName, c, variance[c])
		}
		// The conversions keep a compiler from fusing a product into a sum.
		std := float32(math.Sqrt(float64(variance[c] + eps)))
		a.scale[c] = gamma[c] / std
		a.shift[c] = float32(float32(-mean[c]*gamma[c])/std) + beta[c]
	}
	return a, nil
}

// bias adds the shifts: (b3 + b1) + bid, or + 0 without an identity branch,
// which turns a sum of -0 into 0 as the original's does.
func (br *branches) bias(sum []float32) {
	for c := range sum {
		identity := float32(0)
		if br.identity != nil {
			identity = br.identity.shift[c]
		}
		sum[c] = br.conv3x3.shift[c] + br.conv1x1.shift[c] + identity
	}
}

// weight fuses the convolution, a slice of output channels at a time.
func (f *fuser) weight(b *model.Block, br branches) error {
	in := b.In / b.Groups
	rows := max(1, sliceLen/(in*9))
	for from := 0; from < b.Out; from += rows {
		to := min(from+rows, b.Out)
		kernels, err := f.buffer((to - from) * in * 9)
		if err != nil {
			return err
		}
		f.w1 = grow(f.w1, (to-from)*in)
		if err := f.read(kernels, b.Conv3x3().Weight, from, to); err != nil {
			return err
		}
		if err := f.read(f.w1, b.Conv1x1().Weight, from, to); err != nil {
			return err
		}
		for c := from; c < to; c++ {
			at := (c - from) * in
			zero := br.fuseChannel(c, kernels[at*9:(at+in)*9], f.w1[at:at+in])
			if err := f.checkFinite(b, "weight", c, zero); err != nil {
				return err
			}
		}
		if err := f.send(kernels); err != nil {
			return err
		}
	}
	return nil
}

// fuseChannel turns the 3x3 kernels of output channel c (In/Groups of 9 values)
// into the sum of the block's branches, in the order (W3 + pad(W1)) + Wid. Where
// a branch has no weight the original adds a zero, which decides the sign of a
// sum that is zero. The conversions keep a compiler from fusing a product into
// a sum. The result is 0, or NaN if a fused weight is not finite.
func (br *branches) fuseChannel(c int, kernels, centers []float32) (zero float32) {
	s3, s1 := br.conv3x3.scale[c], br.conv1x1.scale[c]
	own, identity, around := -1, float32(0), float32(0)
	if br.identity != nil {
		own = c % len(centers)
		identity = br.identity.scale[c]
		around = identity * 0
	}
	for i, w1 := range centers {
		k := (*[9]float32)(kernels[i*9:])
		middle := around
		if i == own {
			middle = identity
		}
		k[0] = float32(s3*k[0]) + 0 + around
		k[1] = float32(s3*k[1]) + 0 + around
		k[2] = float32(s3*k[2]) + 0 + around
		k[3] = float32(s3*k[3]) + 0 + around
		k[4] = float32(s3*k[4]) + float32(s1*w1) + middle
		k[5] = float32(s3*k[5]) + 0 + around
		k[6] = float32(s3*k[6]) + 0 + around
		k[7] = float32(s3*k[7]) + 0 + around
		k[8] = float32(s3*k[8]) + 0 + around
		// Multiplied by 0 one by one, so that a large sum can't overflow.
		zero += k[0]*0 + k[1]*0 + k[2]*0 + k[3]*0 + k[4]*0 + k[5]*0 + k[6]*0 + k[7]*0 + k[8]*0
	}
	return zero
}

// checkFinite refuses a channel of a block of which zero, a product with 0, is NaN.
func (f *fuser) checkFinite(b *model.Block, what string, channel int, zero float32) error {
	if zero == 0 {
		return nil
	}
	return fmt.Errorf("reading checkpoint %q: block %q: the fused %s of channel %d is not finite; the training run diverged, or the file is damaged",
		f.src.Path, b.Name, what, channel)
}

// read reads output channels [from, to) of a convolution.
func (f *fuser) read(dst []float32, name string, from, to int) error {
	if err := f.src.Tensors[name].ReadRows(dst, from, to, &f.buf); err != nil {
		return fmt.Errorf("reading checkpoint %q: %w", f.src.Path, err)
	}
	return nil
}

// copy carries tensors over unchanged but for their type.
func (f *fuser) copy(specs ...tensor.Spec) error {
	for _, spec := range specs {
		t := f.src.Tensors[spec.Name]
		width := t.Numel() / t.Shape[0]
		rows := max(1, sliceLen/width)
		for from := 0; from < t.Shape[0]; from += rows {
			to := min(from+rows, t.Shape[0])
			values, err := f.buffer((to - from) * width)
			if err != nil {
				return err
			}
			if err := f.read(values, spec.Name, from, to); err != nil {
				return err
			}
			if err := f.send(values); err != nil {
				return err
			}
		}
	}
	return nil
}
