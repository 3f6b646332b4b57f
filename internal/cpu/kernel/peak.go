package kernel

import (
	"math/rand/v2"
	"sync"
	"time"
)

// Peak measures the most GFLOP/s that threads together do in the inner loop for an
// element type, a multiply-add counting as two: the largest register tile on dense
// random operands that stay in the first-level cache. It takes a few hundredths of
// a second, of which the best counts. Without instructions for the type it is 0.
func (v *Variant) Peak(threads int, elem Elem) float64 {
	if !v.Has(elem) {
		return 0
	}
	peak := rate(threads, v.gemmPeak(elem))
	if elem == BFloat16 && v.amx != nil {
		peak = max(peak, rate(threads, v.amxPeak()))
	}
	return peak
}

// load is work of a known number of operations.
type load struct {
	flops float64 // of a call
	// start makes the operands of a thread and returns the work.
	start func() func()
}

// gemmPeak is the largest register tile.
func (v *Variant) gemmPeak(elem Elem) load {
	const length, times = 128, 64
	kernels := v.gemm[elem]
	panels, rows := 1, len(kernels[0])
	for p := range kernels {
		if (p+1)*len(kernels[p]) > panels*rows {
			panels, rows = p+1, len(kernels[p])
		}
	}
	gemm := kernels[panels-1][rows-1]
	return load{2 * float64(elem.perWord()*rows*panels*Lanes*length*times), func() func() {
		a, b := dense(rows*length, elem), dense(panels*length*Lanes, elem)
		c, offset := alignedFloats(rows*panels*Lanes), 0
		return func() {
			gemm(&a[0], length*wordBytes, 0, &offset, 1, length, &b[0], length*cellBytes, &b[0], &c[0], panels*cellBytes, cellBytes, 0, nil, 0, 0, times)
		}
	}}
}

// amxPeak is all of AMX's tiles.
func (v *Variant) amxPeak() load {
	const rows, panels, segments = 2 * amxRows, amxPanels, 8
	return load{2 * rows * panels * Lanes * segments * 2 * Lanes, func() func() {
		a, b, c := dense(rows*segments*Lanes, BFloat16), dense(panels*segments*Lanes*Lanes, BFloat16), alignedFloats(rows*panels*Lanes)
		offsets := make([]int, segments)
		for i := range offsets {
			offsets[i] = i * cellBytes
		}
		return func() {
			v.amx(&a[0], segments*cellBytes, amxRows*segments*cellBytes, &offsets[0], segments, &b[0], segments*Lanes*cellBytes,
				&c[0], panels*cellBytes, amxRows*panels*cellBytes, amxRows, amxRows, panels)
		}
	}}
}

// dense are words of random values.
func dense(words int, elem Elem) []byte {
	rng := rand.New(rand.NewPCG(1, 1))
	x := alignedBytes(words * wordBytes)
	for i := range words * elem.perWord() {
		elem.put(x, i, float32(rng.NormFloat64()))
	}
	return x
}

// rate is the most GFLOP/s of some attempts.
func rate(threads int, l load) float64 {
	const attempts, atLeast = 5, 5 * time.Millisecond
	works := make([]func(), threads)
	for i := range works {
		works[i] = l.start()
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
	return l.flops * float64(calls*threads) / best.Seconds() / 1e9
}
