package kernel

import (
	"unsafe"

	"repvgg/internal/cpu/winograd"
)

const kernelTaps = winograd.Taps * winograd.Taps

// weightsFunc transforms the kernels of a panel for neighbouring input channels,
// G g GT in float64:
//
//	for c := range channels {
//		for p := range N {
//			for x := range 3 {
//				half[p][x] = G[p][0]*src[c][0][x] + G[p][1]*src[c][1][x] + G[p][2]*src[c][2][x]
//			}
//			for q := range N {
//				dst[(p*N+q)*dstProduct + c] = float32(G[q][0]*half[p][0] + G[q][1]*half[p][1] + G[q][2]*half[p][2])
//			}
//		}
//	}
//
// where each value is that of 16 output channels: src has 9 cells for each input
// channel, dst its words. No product is fused with an addition. In BFloat16
// channels are two to a word and their number is even; results are rounded once
// more, to nearest or even. dst is aligned to a cell and is written past the
// caches. scratch holds half for the channels of a word.
type weightsFunc func(src *float32, dst *byte, dstProduct int, scratch *float64, channels int)

// weightsGo is weightsFunc for F(m, 3) in Float32.
func weightsGo(f *winograd.Matrices) weightsFunc {
	type cell = [Lanes]float64
	combine := func(dst *cell, row []float64, a, b, c *cell) {
		g0, g1, g2 := row[0], row[1], row[2]
		for l := range dst {
			// The conversions keep a compiler from fusing products into sums.
			dst[l] = float64(float64(g0*a[l])+float64(g1*b[l])) + float64(g2*c[l])
		}
	}
	return func(src *float32, dst *byte, dstProduct int, scratch *float64, channels int) {
		half := unsafe.Slice((*[winograd.Taps]cell)(unsafe.Pointer(scratch)), f.N)
		to := (*float32)(unsafe.Pointer(dst))
		for c := range channels {
			var g [kernelTaps]cell
			for t := range g {
				for l, w := range cellOf(src, (c*kernelTaps+t)*cellBytes) {
					g[t][l] = float64(w)
				}
			}
			for p, row := range f.G {
				for x := range winograd.Taps {
					combine(&half[p][x], row, &g[x], &g[winograd.Taps+x], &g[2*winograd.Taps+x])
				}
			}
			for p := range f.N {
				for q, row := range f.G {
					var sums cell
					combine(&sums, row, &half[p][0], &half[p][1], &half[p][2])
					for l, v := range sums {
						cellOf(to, (p*f.N+q)*dstProduct+c*cellBytes)[l] = float32(v)
					}
				}
			}
		}
	}
}

// Pack transforms the weights of a panel, G g GT for each pair of channels, in
// float64. rows is as for Conv.Pack.
func (c *Winograd) Pack(panel int, rows []float32) {
	r, perWord := runOf(c.runs, panel), c.elem.perWord()
	kernels := alignedFloats(Lanes * kernelTaps * Lanes)
	half := make([]float64, perWord*c.f.N*winograd.Taps*Lanes)
	for b := range r.blocks {
		n := c.gather(kernels, rows, panel, (r.block0+b)*Lanes, Lanes)
		n = ceilDiv(n, perWord) * perWord
		c.transform(&kernels[0], &c.weights[(r.unit(panel)+b)*c.unitBytes()], c.product, &half[0], n)
	}
}

// Pack sets the weights of a panel. rows is those of its output channels, of the
// tensor Out, In/Groups, KernelH, KernelW, and is not kept.
func (c *Conv) Pack(panel int, rows []float32) {
	r, dst := runOf(c.runs, panel), c.panel(runOf(c.runs, panel), panel)
	taps, words, channels, perWord := c.Taps(), c.in.words(), c.in.channels(), c.in.Elem.perWord()
	kernels := alignedFloats(channels * taps * Lanes)
	for b := range r.blocks {
		n := c.gather(kernels, rows, panel, (r.block0+b)*channels, channels)
		for i := range n {
			for t := range taps {
				cell, word := kernels[(i*taps+t)*Lanes:][:Lanes], ((b*taps+t)*words+i/perWord)*Lanes
				if perWord == 1 {
					copy(floats(dst)[word:], cell)
					continue
				}
				for l, w := range cell {
					c.in.Elem.put(dst, (word+l)*perWord+i%perWord, w)
				}
			}
		}
	}
}

// gather fills cells with the kernels of a panel's output channels for the input
// channels from first on, at most so many, and returns how many there are: for each
// of them the taps, for each tap a cell. Between groups there are zeros.
func (s shape) gather(cells, rows []float32, panel, first, channels int) (n int) {
	outs, ins, taps := s.Out/s.Groups, s.In/s.Groups, s.Taps()
	n = min(channels, s.In-first)
	if s.Groups > 1 || n < channels {
		clear(cells)
	}
	for lane := range min(Lanes, s.Out-panel*Lanes) {
		group := (panel*Lanes + lane) / outs * ins // the first channel of the lane's
		low, high := max(first, group), min(first+n, group+ins)
		if low >= high {
			continue
		}
		to := cells[(low-first)*taps*Lanes+lane:]
		for i, w := range rows[(lane*ins+low-group)*taps : (lane*ins+high-group)*taps] {
			to[i*Lanes] = w
		}
	}
	return n
}
