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
// channel, dst cells at strides in bytes. No product is fused with an addition. In
// bf16, channel c goes to the lower halves of the words of cell c/2 if it is even,
// else to the upper ones, and channels is even. dst is aligned to a cell and is
// written past the caches. scratch holds half, for bf16 that of two channels.
type weightsFunc func(src, dst *float32, dstProduct int, scratch *float64, channels int)

// weightsGo is weightsFunc for F(m, 3).
func weightsGo(f *winograd.Matrices) weightsFunc {
	type cell = [Lanes]float64
	combine := func(dst *cell, row []float64, a, b, c *cell) {
		g0, g1, g2 := row[0], row[1], row[2]
		for l := range dst {
			// The conversions keep a compiler from fusing products into sums.
			dst[l] = float64(float64(g0*a[l])+float64(g1*b[l])) + float64(g2*c[l])
		}
	}
	return func(src, dst *float32, dstProduct int, scratch *float64, channels int) {
		half := unsafe.Slice((*[winograd.Taps]cell)(unsafe.Pointer(scratch)), f.N)
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
						cellOf(dst, (p*f.N+q)*dstProduct+c*cellBytes)[l] = float32(v)
					}
				}
			}
		}
	}
}

// Pack transforms the weights of a panel, G g GT for each pair of channels, in
// float64. rows is as for Conv.Pack.
func (c *Winograd) Pack(panel int, rows []float32) {
	r := runOf(c.runs, panel)
	src := make([]float32, Lanes*kernelTaps*Lanes)
	half := make([]float64, 2*c.f.N*winograd.Taps*Lanes)
	for b := range r.blocks {
		first := (r.block0 + b) * Lanes
		n := min(Lanes, c.In-first)
		if c.Groups > 1 || n < Lanes {
			clear(src) // weights between groups, and the second half of an odd pair
		}
		c.each(panel, first, n, func(lane, i, from, n int) {
			for ; n > 0; i, from, n = i+1, from+kernelTaps, n-1 {
				g, to := (*[kernelTaps]float32)(rows[from:]), (*[(kernelTaps-1)*Lanes + 1]float32)(src[i*kernelTaps*Lanes+lane:])
				for t, w := range g {
					to[t*Lanes] = w
				}
			}
		})
		at := (r.at + (panel-r.panel0)*r.blocks + b) * c.words * Lanes
		if c.bf16 {
			n += n & 1
		}
		c.t.weights(&src[0], &c.weights[at], c.product*floatBytes, &half[0], n)
	}
}

// Pack sets the weights of a panel. rows is those of its output channels, of the
// tensor Out, In/Groups, KernelH, KernelW, and is not kept.
func (c *Conv) Pack(panel int, rows []float32) {
	r := runOf(c.runs, panel)
	dst := c.panel(r, panel)
	taps, channels := c.Taps(), c.in.channels()
	for b := range r.blocks {
		first := (r.block0 + b) * channels
		c.each(panel, first, min(channels, c.In-first), func(lane, i, from, n int) {
			for i := i; n > 0; i, from, n = i+1, from+taps, n-1 {
				if c.in.BF16 {
					for t, w := range rows[from : from+taps] {
						setHalf(&dst[((b*taps+t)*Lanes+i/2)*Lanes+lane], i%2, w)
					}
					continue
				}
				to := dst[(b*taps*channels+i)*Lanes+lane:]
				for t, w := range rows[from : from+taps] {
					to[t*channels*Lanes] = w
				}
			}
		})
	}
}

// each calls f with the weights that the output channels of a panel have for the
// input channels [first, first+n): those of channel first+i and the next n-1 for
// the channel of a lane begin at index from of the panel's rows.
func (s shape) each(panel, first, n int, f func(lane, i, from, n int)) {
	outs, ins := s.Out/s.Groups, s.In/s.Groups
	for lane := range min(Lanes, s.Out-panel*Lanes) {
		group := (panel*Lanes + lane) / outs * ins
		low, high := max(first, group), min(first+n, group+ins)
		if low < high {
			f(lane, low-first, (lane*ins+low-group)*s.Taps(), high-low)
		}
	}
}
