//go:build cgo && unix

package gpu

/*
#include "driver.h"
*/
import "C"

import (
	"context"
	"encoding/binary"
	"fmt"

	"repvgg/internal/engine"
	"repvgg/internal/model"
	"repvgg/internal/tensor"
)

// peakSide is the size of the square matrices of Peak.
const peakSide = 8192

// Peak measures the most GFLOP/s that a GPU does in a precision: the product of
// two matrices of 8192 x 8192 with random values, by the fastest engine of cuDNN
// for that 1x1 convolution.
func Peak(ctx context.Context, gpu int, p engine.Precision) (float64, error) {
	block := model.Block{Name: "peak", Conv: model.Linear(8, 8), Weight: "weight", Bias: "bias"}
	r, err := New(&model.Plan{Form: model.Deploy, InChannels: 8, Depth: 1, Blocks: []model.Block{block}},
		tensor.Func(zeros), Options{GPU: gpu, Precision: p})
	if err != nil {
		return 0, err
	}
	defer func() { _ = r.Close() }() // a failure of that changes no figure
	gflops, err := r.peak(ctx)
	if err != nil {
		return 0, fmt.Errorf("measuring the peak in %v: %w", r.precision, err)
	}
	return gflops, nil
}

func (r *Runner) peak(ctx context.Context) (float64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	leave, err := r.d.enter()
	if err != nil {
		return 0, err
	}
	defer leave()
	matrix := randomMatrix(peakSide*peakSide, r.precision)
	bias := make([]byte, 4*peakSide)
	var at operands
	for _, o := range []struct {
		p    *devptr
		data []byte
	}{{&at.x, matrix}, {&at.w, matrix}, {&at.y, matrix}, {&at.bias, bias}, {&at.narrowBias, bias}} {
		if *o.p, err = r.d.alloc(int64(len(o.data))); err != nil {
			return 0, err
		}
		defer r.d.free(o.p)
		if err := r.d.upload(*o.p, o.data, r.compute); err != nil {
			return 0, err
		}
	}
	// 8 images of 32x32 are 8192 rows.
	s := convShape{N: 8, H: 32, W: 32, C: peakSide, K: peakSide, R: 1, Stride: 1, Dilation: 1, Groups: 1}
	e := *r.convolver
	e.noDirect = true // it would take minutes, and is no peak
	op, _, err := e.convolution(ctx, wanted{s, epilogue{Bias: true}, at})
	if err != nil {
		return 0, err
	}
	defer op.close()
	best := 0.0
	for range 5 {
		us, err := e.timed(op.run, 10)
		if err != nil {
			return 0, err
		}
		best = max(best, 2*float64(peakSide)*peakSide*peakSide/us/1e3)
	}
	return best, r.convolver.tuned.save()
}

// randomMatrix has values of either sign between a half and one: multipliers draw
// less power, and run faster, on zeros.
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

// zeros are weights for a network that is never run.
func zeros(spec tensor.Spec) ([]float32, error) { return make([]float32, spec.Numel()), nil }
