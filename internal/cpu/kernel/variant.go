package kernel

// The inner loops. Each is there for every Variant, as assembly or in Go; strides,
// offsets and what leads to the next thing are in bytes. They trust their
// arguments, and neither read nor write anything else.

// gemmFunc multiplies matrices in registers. A register tile is some rows times
// 16*panels values of c; so many of them are computed as times says:
//
//	for t := range times {
//		for i := range rows {
//			for j := range 16*panels {
//				sum := 0 or bias[j] or, if add, c[t*cNext + i*cStride + j/16*cPanel + j%16]
//				for s := range segments {
//					for k := range length {
//						sum += a[t*aNext + i*aStride + offsets[s] + k] * b[j/16*bPanel + (s*length+k)*16 + j%16]
//					}
//				}
//				c[t*cNext + i*cStride + j/16*cPanel + j%16] = max(sum, 0) if relu, or sum
//			}
//		}
//	}
//
// where a and b are of words: the product of two words of BFloat16 is the sum of
// two products. Sums are made in this order, whatever the register tile; each
// product is fused with its addition where the machine can. As much memory as
// there is of b is fetched into the second-level cache from ahead on, which may be
// b itself. segments, length and times are at least 1; bias may be nil; add and
// relu are 0 or 1.
type gemmFunc func(a *byte, aStride, aNext int, offsets *int, segments, length int, b *byte, bPanel int, ahead *byte,
	c *float32, cStride, cPanel, cNext int, bias *float32, add, relu, times int)

// inputFunc transforms tiles of an input, BT d B for each channel, in float32:
// product p of channel c of a tile goes to dst + p*dstProduct + tile*dstTile + c,
// rounded to the type of dst's elements. srcBlock leads to the next 16 channels,
// dst has them side by side. scratch holds the square of N cells.
type inputFunc func(src *float32, srcRow, srcBlock, srcTile int, dst *byte, dstProduct, dstTile int,
	scratch *float32, blocks, tiles int)

// outputFunc transforms tiles of products, AT m A for each channel, adds the
// bias, applies ReLU if relu is 1, and writes the first rows x cols results.
// Strides are as in inputFunc, with src and dst changed over.
type outputFunc func(src *float32, srcProduct, srcTile int, dst *float32, dstRow, dstBlock, dstTile int,
	bias, scratch *float32, blocks, tiles, rows, cols, relu int)

// transforms are those of F(m, 3).
type transforms struct {
	// By the element type of dst; nil without.
	input   [elemCount]inputFunc
	weights [elemCount]weightsFunc
	output  outputFunc
}

func float32Transforms(input inputFunc, weights weightsFunc, output outputFunc) transforms {
	return transforms{input: [elemCount]inputFunc{Float32: input}, weights: [elemCount]weightsFunc{Float32: weights}, output: output}
}

// addScaledFunc adds scale*src + shift to n cells of dst and applies ReLU if
// relu is 1; scale and shift are one cell.
type addScaledFunc func(dst, src, scale, shift *float32, relu, n int)

// gateFunc multiplies n cells of dst by the cell scale, and applies ReLU if relu
// is 1.
type gateFunc func(dst, scale *float32, relu, n int)

// sumFunc writes the sum of n cells of src to the cell dst.
type sumFunc func(dst, src *float32, n int)

// narrowFunc rounds to n cells of BFloat16, to nearest or even: the first 32
// bytes of those at dst come from the cells at low, the others from those at high.
type narrowFunc func(dst *byte, low, high *float32, n int)

// epilogueFunc writes 16 channels of each of n neighbouring cells, the first at
// dst, from rows of 16 sums that are srcStride apart: it adds the cell bias,
// applies ReLU if relu is 1, and rounds to the type of dst's elements.
type epilogueFunc func(dst *byte, src *float32, srcStride int, bias *float32, relu, n int)

// amxFunc multiplies matrices of BFloat16 in AMX's tiles, with float32 sums: one
// or two panels for rows cells from a on, and for second more from aSecond on.
// Segments are whole cells; the sums of a row go to c + row*cStride, those of a
// second row to cSecond, a panel's behind the other's. rows is 1 to 16, second 0
// to 16.
type amxFunc func(a *byte, aStride, aSecond int, offsets *int, segments int, b *byte, bPanel int,
	c *float32, cStride, cSecond, rows, second, panels int)

// Variant is an implementation of the inner loops for one instruction set.
// Variants differ in rounding (with and without fused multiply-add); each gives
// the same bits however work is divided.
type Variant struct {
	name string
	// gemm has, by the element type of what is multiplied, by panels less one and
	// rows less one, the register tiles that fit; nil for a type without
	// instructions. All types have the same sizes.
	gemm       [elemCount][][]gemmFunc
	transforms map[int]transforms // by m
	addScaled  addScaledFunc
	gate       gateFunc
	sum        sumFunc

	// With BFloat16 only:
	narrow narrowFunc
	// epilogue is for sums in memory, by the element type of the results.
	epilogue [elemCount]epilogueFunc
	// amx computes direct convolutions; nil without AMX.
	amx amxFunc
}

// variants are those that this machine can run, the fastest first. The plain
// one is always there.
var variants = append(vectorVariants(), &Variant{
	name:       "go",
	gemm:       [elemCount][][]gemmFunc{Float32: {{gemmGo(1), gemmGo(2), gemmGo(3), gemmGo(4)}}},
	transforms: plainTransforms(),
	addScaled:  addScaledGo, gate: gateGo, sum: sumGo,
})

// Variants are the implementations that this machine can run, the fastest
// first.
func Variants() []*Variant { return append([]*Variant(nil), variants...) }

// Has reports whether there are instructions that multiply an element type.
func (v *Variant) Has(e Elem) bool { return v.gemm[e] != nil }

// AMX reports whether direct convolutions of BFloat16 are computed in AMX's tiles.
func (v *Variant) AMX() bool { return v.amx != nil }

// String is the name of the instruction set, or "go".
func (v *Variant) String() string { return v.name }

// tiling divides rows into as few register tiles as there may be, of sizes that
// differ by one at most: large of rows+1, then small of rows.
type tiling struct{ rows, small, large int }

// registerTiles divides n rows of some panels.
func (v *Variant) registerTiles(n, panels int) tiling {
	count := ceilDiv(n, len(v.gemm[Float32][panels-1]))
	return tiling{rows: n / count, small: count - n%count, large: n % count}
}

// panels chooses how many of the available panels share a register tile: as
// many as cost the fewest cycles for n rows, counting two products and two
// loads of a vector a cycle and four until a product's result.
func (v *Variant) panels(n, available int) int {
	best, bestCost := 1, 0.0
	for p := 1; p <= min(len(v.gemm[Float32]), available); p++ {
		t := v.registerTiles(n, p)
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
