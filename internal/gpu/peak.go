//go:build cgo && unix

package gpu

import (
	"context"
	"encoding/binary"
	"fmt"

	"repvgg/internal/engine"
	"repvgg/internal/gpu/cuda"
	"repvgg/internal/model"
	"repvgg/internal/tensor"
)

// peakSide is the size of the square matrices of Peak.
const peakSide = 8192

// Peak measures the most GFLOP/s that a GPU reaches in a precision. It multiplies
// two matrices of 8192 x 8192 random values, as a 1x1 convolution by cuDNN's fastest
// engine.
func Peak(ctx context.Context, gpu int, p engine.Precision) (float64, error) {
	block := model.Block{Name: "peak", Conv: model.Linear(8, 8), Weight: "weight", Bias: "bias"}
	r, err := New(&model.Plan{Form: model.Deploy, InChannels: 8, Depth: 1, Blocks: []model.Block{block}},
		tensor.Func(zeros), Options{GPU: gpu, Precision: p})
	if err != nil {
		return 0, err
	}
	defer func() { _ = r.Close() }() // its failure changes no figure
	gflops, err := r.peak(ctx)
	if err != nil {
		return 0, fmt.Errorf("measuring the peak in %v: %w", r.precision, err)
	}
	return gflops, nil
}

func (r *Runner) peak(ctx context.Context) (float64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	leave, err := r.d.Enter()
	if err != nil {
		return 0, err
	}
	defer leave()
	matrix := randomMatrix(peakSide*peakSide, r.precision)
	bias := make([]byte, 4*peakSide)
	var at operands
	for _, o := range []struct {
		p    *cuda.Ptr
		data []byte
	}{{&at.x, matrix}, {&at.w, matrix}, {&at.y, matrix}, {&at.bias, bias}, {&at.narrowBias, bias}} {
		if *o.p, err = r.d.Alloc(int64(len(o.data))); err != nil {
			return 0, err
		}
		defer r.d.Free(o.p)
		if err := r.compute.Upload(*o.p, o.data); err != nil {
			return 0, err
		}
	}
	// 8 images of 32x32 are 8192 rows.
	s := cuda.ConvShape{N: 8, H: 32, W: 32, C: peakSide, K: peakSide, R: 1, Stride: 1, Dilation: 1, Groups: 1}
	v := *r.convolver
	v.noDirect = true // our own kernel would take minutes, and is no peak
	op, _, err := v.operation(ctx, convolution{s, epilogue{Bias: true}, at})
	if err != nil {
		return 0, err
	}
	defer op.close()
	best := 0.0
	for range 5 {
		us, err := v.timed(op.run, 10)
		if err != nil {
			return 0, err
		}
		best = max(best, 2*float64(peakSide)*peakSide*peakSide/us/1e3)
	}
	return best, v.choices.save()
}

// randomMatrix is n values of either sign between a half and one, encoded.
// Multipliers draw less power on zeros, and so run faster.
func randomMatrix(n int, p precision) []byte {
	out := make([]byte, 0, n*p.size())
	state := uint32(1)
	for range n {
		state ^= state << 13
		state ^= state >> 17
		state ^= state << 5
		switch p {
		case fp16:
			out = binary.LittleEndian.AppendUint16(out, 0x3800|uint16(state>>16)&0x83ff)
		case bf16:
			out = binary.LittleEndian.AppendUint16(out, 0x3f00|uint16(state>>16)&0x807f)
		default:
			out = binary.LittleEndian.AppendUint32(out, 0x3f000000|state&0x807fffff)
		}
	}
	return out
}

// zeros are the weights of a network that is never run.
func zeros(spec tensor.Spec) ([]float32, error) { return make([]float32, spec.Numel()), nil }
