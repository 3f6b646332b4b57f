//go:build amd64 && !noasm

package kernel

import "golang.org/x/sys/cpu"

//go:generate sh -c "cd _gen && go run . -pkg kernel -out ../gemm_amd64.s -stubs ../gemm_stubs_amd64.go"

// vectorVariants are those that the processor and the operating system support.
// GODEBUG=cpu.avx512f=off and cpu.avx2=off leave them out.
func vectorVariants() []*Variant {
	var v []*Variant
	if cpu.X86.HasAVX512F {
		v = append(v, &Variant{
			name: "avx512", rows: 8, lanes: 16,
			gemm:          []microKernel{gemmAVX512x1, gemmAVX512x2, gemmAVX512x3},
			scaleShiftAdd: scaleShiftAddAVX512, scaleReLU: scaleReLUAVX512, dot: dotAVX512,
			strip: [2]stripBlock{stripAVX512x1, stripAVX512x2},
		})
	}
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		v = append(v, &Variant{
			name: "avx2", rows: 4, lanes: 8,
			gemm:          []microKernel{gemmAVX2x1, gemmAVX2x2, gemmAVX2x3},
			scaleShiftAdd: scaleShiftAddAVX2, scaleReLU: scaleReLUAVX2, dot: dotAVX2,
		})
	}
	return v
}
