package kernel

import (
	"sync"
	"time"
)

// Peak measures the most GFLOP/s that threads together do in the inner loop, of
// float32 or of bfloat16, a multiply-add counting as two: the largest register
// tile on operands that stay in the first-level cache. It takes a few hundredths
// of a second, of which the best counts. Without bf16 instructions their peak is
// 0.
func (v *Variant) Peak(threads int, bf16 bool) float64 {
	const length, blocks, attempts, atLeast = 128, 64, 5, 5 * time.Millisecond
	kernels, perProduct := v.gemm, 2.0
	if bf16 {
		kernels, perProduct = v.gemmBF16, 4
	}
	if len(kernels) == 0 {
		return 0
	}
	panels, rows := 1, len(kernels[0])
	for p := range kernels {
		if (p+1)*len(kernels[p]) > panels*rows {
			panels, rows = p+1, len(kernels[p])
		}
	}
	gemm := kernels[panels-1][rows-1]
	work := func(calls int) {
		a, b := AlignedFloats(rows*length), AlignedFloats(panels*length*Lanes)
		c, offset := AlignedFloats(rows*panels*Lanes), 0
		for range calls {
			gemm(&a[0], length*floatBytes, 0, &offset, 1, length, &b[0], length*cellBytes, &b[0], &c[0], panels*cellBytes, cellBytes, 0, nil, 0, 0, blocks)
		}
	}
	run := func(calls int) time.Duration {
		start := time.Now()
		var all sync.WaitGroup
		for range threads {
			all.Go(func() { work(calls) })
		}
		all.Wait()
		return time.Since(start)
	}
	calls := 1
	for run(calls) < atLeast {
		calls *= 2
	}
	best := time.Duration(1 << 62)
	for range attempts {
		best = min(best, run(calls))
	}
	flops := perProduct * float64(rows*panels*Lanes) * length * blocks * float64(calls*threads)
	return flops / best.Seconds() / 1e9
}
