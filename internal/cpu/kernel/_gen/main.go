// Command gen writes the assembly of package kernel. See the go:generate line
// in ../gemm_amd64.go.
package main

import (
	. "github.com/mmcloughlin/avo/build"
)

func main() {
	ConstraintExpr("amd64,!noasm")
	for vectors := 1; vectors <= avx512.maxVectors; vectors++ {
		gemm(avx512, vectors)
	}
	for vectors := 1; vectors <= avx2.maxVectors; vectors++ {
		gemm(avx2, vectors)
	}
	for _, a := range []isa{avx512, avx2} {
		scaleShiftAdd(a)
		scaleReLU(a)
		dot(a)
	}
	strip(1)
	strip(2)
	Generate()
}
