// Command gen writes the assembly of package kernel. See the go:generate line
// in ../variant_amd64.go.
package main

import (
	"flag"
	"log"

	. "github.com/mmcloughlin/avo/build"

	"repvgg/internal/cpu/winograd"
)

func main() {
	amx := flag.Bool("amx", false, "write what is for AMX")
	flag.Parse()
	ConstraintExpr("amd64,!noasm")
	if *amx {
		amxKernels()
		Generate()
		return
	}
	for _, a := range []isa{avx512, avx2} {
		for panels, most := range a.maxRows {
			for rows := 1; rows <= most; rows++ {
				gemm(a, a.name, rows, panels+1)
			}
		}
		for _, m := range winograd.Outputs() {
			f := winograd.New(m)
			inputTransform(a, a.name, f)
			outputTransform(a, f)
			weightTransform(a, a.name, f)
		}
		addScaled(a)
		gate(a)
		sum(a)
	}
	for panels, most := range avx512.maxRows {
		for rows := 1; rows <= most; rows++ {
			gemm(avx512, bf16Kernels, rows, panels+1)
		}
	}
	inputTransform(avx512, bf16Kernels, winograd.New(2))
	weightTransform(avx512, bf16Kernels, winograd.New(2))
	narrow()
	epilogue(avx512.name)
	epilogue(bf16Kernels)
	Generate()
	if err := encodeBF16(flag.Lookup("out").Value.String()); err != nil {
		log.Fatal(err)
	}
}
