package kernel

import (
	"unsafe"

	"repvgg/internal/cpu/winograd"
)

// The inner loops in Go, for machines without better ones.

// values are float32 where any elements may be.
func values(p *byte) *float32 { return (*float32)(unsafe.Pointer(p)) }

// at is the value at a number of bytes from p.
func at(p *float32, bytes int) *float32 { return (*float32)(unsafe.Add(unsafe.Pointer(p), bytes)) }

// span is n values from a number of bytes after p.
func span(p *float32, bytes, n int) []float32 { return unsafe.Slice(at(p, bytes), n) }

// gemmGo is gemmFunc for one panel. Two rows times four columns are kept in
// registers: as many running sums as the compiler holds without spilling, and
// enough to hide the latency of an addition.
func gemmGo(rows int) gemmFunc {
	return func(a *byte, aStride, aNext int, offsets *int, segments, length int, b *byte, _ int, _ *byte,
		c *float32, cStride, _, cNext int, bias *float32, add, relu, times int) {
		multiplyGo(rows, values(a), aStride, aNext, unsafe.Slice(offsets, segments), length, values(b), c, cStride, cNext, bias, add, relu, times)
	}
}

func multiplyGo(rows int, a *float32, aStride, aNext int, offsets []int, length int, b *float32,
	c *float32, cStride, cNext int, bias *float32, add, relu, times int) {
	shift := new([Lanes]float32)
	if bias != nil {
		shift = (*[Lanes]float32)(unsafe.Pointer(bias))
	}
	for t := range times {
		a, c := at(a, t*aNext), at(c, t*cNext)
		for i := 0; i < rows; i += 2 {
			// The last of an odd number of rows is computed twice.
			second := min(i+1, rows-1)
			a0, a1 := at(a, i*aStride), at(a, second*aStride)
			c0 := (*[Lanes]float32)(unsafe.Pointer(at(c, i*cStride)))
			c1 := (*[Lanes]float32)(unsafe.Pointer(at(c, second*cStride)))
			for j := 0; j < Lanes; j += 4 {
				start0, start1 := shift, shift
				if add != 0 {
					start0, start1 = c0, c1
				}
				sum0, sum1 := [4]float32(start0[j:]), [4]float32(start1[j:])
				for s, offset := range offsets {
					product(&sum0, &sum1, span(a0, offset, length), span(a1, offset, length), span(b, (s*length*Lanes+j)*wordBytes, length*Lanes-j))
				}
				if relu != 0 {
					for l := range sum0 {
						sum0[l], sum1[l] = max(sum0[l], 0), max(sum1[l], 0)
					}
				}
				*(*[4]float32)(c0[j:]), *(*[4]float32)(c1[j:]) = sum0, sum1
			}
		}
	}
}

// product adds a0 and a1 times four columns of b, whose rows are a cell apart.
func product(sum0, sum1 *[4]float32, a0, a1, b []float32) {
	c00, c01, c02, c03 := sum0[0], sum0[1], sum0[2], sum0[3]
	c10, c11, c12, c13 := sum1[0], sum1[1], sum1[2], sum1[3]
	a1 = a1[:len(a0)]
	for k, x0 := range a0 {
		// Never true, but it spares the compiler's checks of each access.
		if uint(Lanes*k+3) >= uint(len(b)) {
			break
		}
		x1 := a1[k]
		w0, w1, w2, w3 := b[Lanes*k], b[Lanes*k+1], b[Lanes*k+2], b[Lanes*k+3]
		c00 += x0 * w0
		c01 += x0 * w1
		c02 += x0 * w2
		c03 += x0 * w3
		c10 += x1 * w0
		c11 += x1 * w1
		c12 += x1 * w2
		c13 += x1 * w3
	}
	*sum0, *sum1 = [4]float32{c00, c01, c02, c03}, [4]float32{c10, c11, c12, c13}
}

func plainTransforms() map[int]transforms {
	all := map[int]transforms{}
	for _, m := range winograd.Outputs() {
		f := winograd.New(m)
		bt, at := newSparse(f.BT), newSparse(f.AT)
		all[m] = float32Transforms(inputGo(f.N, bt), weightsGo(f), outputGo(f.N, at))
	}
	return all
}

// sparse is a matrix by rows, without its zeros.
type sparse [][]entry

type entry struct {
	column int
	value  float32
}

func newSparse(m [][]float64) sparse {
	rows := make(sparse, len(m))
	for i, row := range m {
		for j, v := range row {
			if v != 0 {
				rows[i] = append(rows[i], entry{j, float32(v)})
			}
		}
	}
	return rows
}

// cellOf is a cell at a number of bytes from p.
func cellOf(p *float32, bytes int) *[Lanes]float32 {
	return (*[Lanes]float32)(unsafe.Pointer(at(p, bytes)))
}

// apply writes row times the cells at p + column*stride to dst.
func apply(dst *[Lanes]float32, row []entry, p *float32, stride int) {
	var sum [Lanes]float32
	for _, e := range row {
		x := cellOf(p, e.column*stride)
		for l := range sum {
			sum[l] += e.value * x[l]
		}
	}
	*dst = sum
}

func inputGo(n int, bt sparse) inputFunc {
	return func(src *float32, srcRow, srcBlock, srcTile int, dst *byte, dstProduct, dstTile int, scratch *float32, blocks, tiles int) {
		for t := range tiles {
			for b := range blocks {
				from, to := at(src, t*srcTile+b*srcBlock), at(values(dst), t*dstTile+b*cellBytes)
				for i, row := range bt {
					for x := range n {
						apply(cellOf(scratch, (i*n+x)*cellBytes), row, at(from, x*cellBytes), srcRow)
					}
				}
				for i := range n {
					for j, row := range bt {
						apply(cellOf(to, (i*n+j)*dstProduct), row, at(scratch, i*n*cellBytes), cellBytes)
					}
				}
			}
		}
	}
}

func outputGo(n int, matrix sparse) outputFunc {
	return func(src *float32, srcProduct, srcTile int, dst *float32, dstRow, dstBlock, dstTile int, bias, scratch *float32, blocks, tiles, rows, cols, relu int) {
		for t := range tiles {
			for b := range blocks {
				from, to, shift := at(src, t*srcTile+b*cellBytes), at(dst, t*dstTile+b*dstBlock), cellOf(bias, b*cellBytes)
				for i, row := range matrix {
					for x := range n {
						apply(cellOf(scratch, (i*n+x)*cellBytes), row, at(from, x*srcProduct), n*srcProduct)
					}
				}
				for i := range rows {
					for j, row := range matrix[:cols] {
						out := cellOf(to, i*dstRow+j*cellBytes)
						apply(out, row, at(scratch, i*n*cellBytes), cellBytes)
						for l := range out {
							out[l] += shift[l]
							if relu != 0 {
								out[l] = max(out[l], 0)
							}
						}
					}
				}
			}
		}
	}
}

func addScaledGo(dst, src, scale, shift *float32, relu, n int) {
	s, h := cellOf(scale, 0), cellOf(shift, 0)
	for i := range n {
		x, y := cellOf(src, i*cellBytes), cellOf(dst, i*cellBytes)
		for l := range y {
			y[l] += s[l]*x[l] + h[l]
			if relu != 0 {
				y[l] = max(y[l], 0)
			}
		}
	}
}

func gateGo(dst, scale *float32, relu, n int) {
	s := cellOf(scale, 0)
	for i := range n {
		y := cellOf(dst, i*cellBytes)
		for l := range y {
			y[l] *= s[l]
			if relu != 0 {
				y[l] = max(y[l], 0)
			}
		}
	}
}

func sumGo(dst, src *float32, n int) {
	var sum [Lanes]float32
	for i := range n {
		x := cellOf(src, i*cellBytes)
		for l := range sum {
			sum[l] += x[l]
		}
	}
	*cellOf(dst, 0) = sum
}
