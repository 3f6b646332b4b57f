package kernel

import (
	"math/rand/v2"
	"sync"
	"time"
)

// Peak measures the most GFLOP/s that threads together do in the inner loop, of
// float32 or of bfloat16, a multiply-add counting as two: the largest tile on
// dense random operands that stay in the first-level cache. It takes a few
// hundredths of a second, of which the best counts. Without bf16 instructions
// their peak is 0.
func (v *Variant) Peak(threads int, bf16 bool) float64 {
	switch {
	case !bf16:
		return rate(threads, v.gemmPeak(v.gemm, false))
	case v.amx != nil:
		return max(rate(threads, v.gemmPeak(v.gemmBF16, true)), rate(threads, v.tilesPeak()))
	case v.BF16():
		return rate(threads, v.gemmPeak(v.gemmBF16, true))
	}
	return 0
}

// job is work of a known number of operations.
type job struct {
	flops float64 // of a call
	// start makes the operands of a thread and returns the work.
	start func() func()
}

// gemmPeak is the largest register tile of kernels.
func (v *Variant) gemmPeak(kernels [][]gemmFunc, bf16 bool) job {
	const length, blocks = 128, 64
	panels, rows := 1, len(kernels[0])
	for p := range kernels {
		if (p+1)*len(kernels[p]) > panels*rows {
			panels, rows = p+1, len(kernels[p])
		}
	}
	perWord := 2.0
	if bf16 {
		perWord = 4
	}
	gemm := kernels[panels-1][rows-1]
	return job{perWord * float64(rows*panels*Lanes*length*blocks), func() func() {
		a, b := dense(rows*length, bf16), dense(panels*length*Lanes, bf16)
		c, offset := AlignedFloats(rows*panels*Lanes), 0
		return func() {
			gemm(&a[0], length*floatBytes, 0, &offset, 1, length, &b[0], length*cellBytes, &b[0], &c[0], panels*cellBytes, cellBytes, 0, nil, 0, 0, blocks)
		}
	}}
}

// tilesPeak is all tile registers.
func (v *Variant) tilesPeak() job {
	const rows, panels, segments = 2 * tileRows, 2, 8
	return job{2 * rows * panels * Lanes * segments * 2 * Lanes, func() func() {
		a, b, c := dense(rows*segments*Lanes, true), dense(panels*segments*Lanes*Lanes, true), AlignedFloats(rows*panels*Lanes)
		offsets := make([]int, segments)
		for i := range offsets {
			offsets[i] = i * cellBytes
		}
		return func() {
			v.amx(&a[0], segments*cellBytes, tileRows*segments*cellBytes, &offsets[0], segments, &b[0], segments*Lanes*cellBytes,
				&c[0], panels*cellBytes, tileRows*panels*cellBytes, tileRows, tileRows, panels)
		}
	}}
}

// dense are random values, float32 or pairs of bf16.
func dense(n int, bf16 bool) []float32 {
	rng := rand.New(rand.NewPCG(1, 1))
	x := AlignedFloats(n)
	for i := range x {
		if !bf16 {
			x[i] = float32(rng.NormFloat64())
			continue
		}
		for half := range 2 {
			setHalf(&x[i], half, float32(rng.NormFloat64()))
		}
	}
	return x
}

// rate is the most GFLOP/s of some attempts.
func rate(threads int, j job) float64 {
	const attempts, atLeast = 5, 5 * time.Millisecond
	works := make([]func(), threads)
	for i := range works {
		works[i] = j.start()
	}
	run := func(calls int) time.Duration {
		start := time.Now()
		var all sync.WaitGroup
		for _, work := range works {
			all.Go(func() {
				for range calls {
					work()
				}
			})
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
	return j.flops * float64(calls*threads) / best.Seconds() / 1e9
}
