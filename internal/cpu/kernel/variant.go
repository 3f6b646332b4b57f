package kernel

// gemmFunc multiplies matrices in registers: a tile of rows times 16*panels
// values of c, for each of blocks,
//
//	for block := range blocks {
//		for i := range rows {
//			for j := range 16*panels {
//				sum := 0 or bias[j] or, if add, c[block*cNext + i*cStride + j/16*cPanel + j%16]
//				for s := range segments {
//					for k := range length {
//						sum += a[block*aNext + i*aStride + offsets[s] + k] * b[j/16*bPanel + (s*length+k)*16 + j%16]
//					}
//				}
//				c[block*cNext + i*cStride + j/16*cPanel + j%16] = max(sum, 0) if relu, or sum
//			}
//		}
//	}
//
// where strides and offsets are in bytes. Sums are made in this order, whatever
// the tile; each product is fused with its addition where the machine can. As
// much memory as there is of b is fetched into the second-level cache from
// ahead on, which may be b itself. It trusts its arguments, and neither reads nor writes anything else. segments,
// length and blocks are at least 1; bias may be nil; add and relu are 0 or 1.
type gemmFunc func(a *float32, aStride, aNext int, offsets *int, segments, length int, b *float32, bPanel int, ahead,
	c *float32, cStride, cPanel, cNext int, bias *float32, add, relu, blocks int)

// inputFunc transforms tiles of an input, BT d B for each channel: product p of
// channel c of a tile goes to dst + p*dstProduct + tile*dstTile + c. Strides are
// in bytes; srcBlock leads to the next 16 channels, dst has them side by side.
// scratch holds the square of N cells.
type inputFunc func(src *float32, srcRow, srcBlock, srcTile int, dst *float32, dstProduct, dstTile int,
	scratch *float32, blocks, tiles int)

// outputFunc transforms tiles of products, AT m A for each channel, adds the
// bias, applies ReLU if relu is 1, and writes the first rows x cols results.
// Strides are as in inputFunc, with src and dst changed over.
type outputFunc func(src *float32, srcProduct, srcTile int, dst *float32, dstRow, dstBlock, dstTile int,
	bias, scratch *float32, blocks, tiles, rows, cols, relu int)

// transforms are those of F(m, 3).
type transforms struct {
	input   inputFunc
	output  outputFunc
	weights weightsFunc
}

// addScaledFunc adds scale*src + shift to n cells of dst and applies ReLU if
// relu is 1; scale and shift are one cell.
type addScaledFunc func(dst, src, scale, shift *float32, relu, n int)

// gateFunc multiplies n cells of dst by the cell scale and applies ReLU.
type gateFunc func(dst, scale *float32, n int)

// sumFunc writes the sum of n cells of src to the cell dst.
type sumFunc func(dst, src *float32, n int)

// narrowFunc rounds to n cells of bf16 values, to nearest or even: the first 32
// bytes of those at dst come from the cells at low, the others from those at high.
type narrowFunc func(dst, low, high *float32, n int)

// finishFunc writes n cells at dst, or halves of bf16 cells, from rows of 16 sums
// that are srcStride bytes apart: it adds the cell bias, and applies ReLU if relu
// is 1.
type finishFunc func(dst, src *float32, srcStride int, bias *float32, relu, n int)

// tilesFunc multiplies bf16 matrices with float32 sums: one or two panels for
// rows cells from a on, and for as many as second from aSecond bytes on. Segments
// are whole cells; the sums of a row go to c + row*cStride, those of a second row
// to cSecond bytes on, a panel's after the other's.
type tilesFunc func(a *float32, aStride, aSecond int, offsets *int, segments int, b *float32, bPanel int,
	c *float32, cStride, cSecond, rows, second, panels int)

// Variant is an implementation of the inner loops for one instruction set.
// Variants differ in rounding (with and without fused multiply-add); each gives
// the same bits however work is divided.
type Variant struct {
	name string
	// gemm has, by panels less one and rows less one, the tiles that fit into
	// registers.
	gemm     [][]gemmFunc
	gemmBF16 [][]gemmFunc // of the same shape, or nil: words are pairs of bf16
	narrow   narrowFunc
	// inputBF16 is the input transform of F(2, 3) with bf16 results, 32 bytes for
	// 16 channels.
	inputBF16   inputFunc
	weightsBF16 weightsFunc // of F(2, 3)
	// Epilogues of sums in memory, with float32 and bf16 results.
	finish, finishBF16 finishFunc
	// amx computes direct convolutions of bf16 inputs in tile registers, or is nil.
	amx        tilesFunc
	transforms map[int]transforms // by m
	addScaled  addScaledFunc
	gate       gateFunc
	sum        sumFunc
}

// variants are those that this machine can run, the fastest first. The plain
// one is always there.
var variants = append(vectorVariants(), &Variant{
	name:       "go",
	gemm:       [][]gemmFunc{{gemmGo(1), gemmGo(2), gemmGo(3), gemmGo(4)}},
	transforms: plainTransforms(),
	addScaled:  addScaledGo, gate: gateGo, sum: sumGo,
})

// Variants are the implementations that this machine can run, the fastest
// first.
func Variants() []*Variant { return append([]*Variant(nil), variants...) }

// BF16 reports whether there are instructions for bfloat16.
func (v *Variant) BF16() bool { return v.gemmBF16 != nil }

// Tiles reports whether direct convolutions of bf16 inputs use tile registers.
func (v *Variant) Tiles() bool { return v.amx != nil }

// String is the name of the instruction set, or "go".
func (v *Variant) String() string { return v.name }

// tiling divides n rows into as few register tiles as there may be, of sizes
// that differ by one at most: large of rows+1, then small of rows.
type tiling struct{ rows, small, large int }

func (v *Variant) tile(n, panels int) tiling {
	count := ceilDiv(n, len(v.gemm[panels-1]))
	return tiling{rows: n / count, small: count - n%count, large: n % count}
}

// panels chooses how many of the available panels share a register tile: as
// many as cost the fewest cycles for n rows, counting two products and two
// loads of a vector a cycle and four until a product's result.
func (v *Variant) panels(n, available int) int {
	best, bestCost := 1, 0.0
	for p := 1; p <= min(len(v.gemm), available); p++ {
		t := v.tile(n, p)
		cost := 0.0
		for _, part := range [][2]int{{t.rows, t.small}, {t.rows + 1, t.large}} {
			rows, count := part[0], part[1]
			cost += float64(count) * max(float64(rows*p)/2, float64(rows+p)/2, 4)
		}
		cost *= float64(ceilDiv(available, p))
		if p == 1 || cost < bestCost {
			best, bestCost = p, cost
		}
	}
	return best
}
