//go:build amd64 && !noasm

package kernel

import (
	"encoding/binary"
	"sync"

	"golang.org/x/sys/cpu"
)

// gemmAMX, in assembly, multiplies matrices of bfloat16 values in tile registers
// with float32 sums, so many times as times says:
//
//	for t := range times {
//		for half, n := range []int{rows, second} {
//			for i := range n {
//				for j := range 16*panels {
//					sum := 0
//					for s := range segments {
//						for k := range 32 {
//							sum += a[t*aNext + half*aSecond + i*aStride + offsets[s] + k] *
//								b[j/16*bPanel + s*512 + k/2*32 + j%16*2 + k%2]
//						}
//					}
//					c[t*cNext + half*cSecond + i*cStride + j/16*cPanel + j%16] = sum
//				}
//			}
//		}
//	}
//
// where strides and offsets are in bytes. Each segment's even and odd products
// are summed apart, then together, then added to the sum, each time rounded to
// nearest or even with denormals taken and given as zero, whatever the tile. It
// trusts its arguments, and neither reads nor writes anything else: rows is 1 to
// 16, second 0 to 16, panels 1 or 2, segments and times are at least 1, and config
// points to amxConfig(rows, second). The thread's tiles are
// configured by the call and released at its end; it cannot change threads
// within. requestAMX must have been true.

// amxConfig is the configuration of the tiles for gemmAMX, as LDTILECFG reads it:
// the palette, from byte 16 on the tiles' bytes in a row, from 48 on their rows.
func amxConfig(rows, second int) [64]byte {
	c := [64]byte{0: 1}
	for tile, n := range [8]int{rows, rows, second, second, rows, second, Lanes, Lanes} {
		if n > 0 {
			binary.LittleEndian.PutUint16(c[16+2*tile:], cellBytes)
			c[48+tile] = byte(n)
		}
	}
	return c
}

// stripsAMX is amxFunc.
func stripsAMX(a *byte, aStride, aSecond int, offsets *int, segments int, b *byte, bPanel int,
	c *float32, cStride, cSecond, rows, second, panels int) {
	config := amxConfig(rows, second)
	gemmAMX(a, aStride, aSecond, 0, offsets, segments, b, bPanel,
		c, cStride, cSecond, cellBytes, 0, rows, second, panels, 1, &config[0])
}

// requestAMX reports whether this process may use AMX with bfloat16: the
// processor has it, the operating system saves its state, and has given the
// permission that it wants to be asked for once. GODEBUG=cpu.amxtile=off and
// cpu.amxbf16=off say no.
var requestAMX = sync.OnceValue(func() bool {
	const tileState = 1<<17 | 1<<18 // in XCR0: the configuration and the tiles
	return cpu.X86.HasOSXSAVE && cpu.X86.HasAMXTile && cpu.X86.HasAMXBF16 &&
		xgetbv(0)&tileState == tileState && permitTiles()
})
