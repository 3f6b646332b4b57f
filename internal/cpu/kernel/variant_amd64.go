//go:build amd64 && !noasm

package kernel

import "golang.org/x/sys/cpu"

//go:generate sh -c "cd _gen && go run . -pkg kernel -out ../kernel_amd64.s -stubs ../kernel_stubs_amd64.go"
//go:generate sh -c "cd _gen && go run . -amx -pkg kernel -out ../kernel_amx_amd64.s -stubs ../kernel_amx_stubs_amd64.go"

// vectorVariants are those that the processor and the operating system support.
// GODEBUG=cpu.avx512f=off and cpu.avx2=off leave them out.
func vectorVariants() []*Variant {
	var v []*Variant
	if cpu.X86.HasAVX512F {
		w := &Variant{
			name: "avx512",
			gemm: [elemCount][][]gemmFunc{Float32: {
				{gemmAVX512_1x1, gemmAVX512_2x1, gemmAVX512_3x1, gemmAVX512_4x1, gemmAVX512_5x1, gemmAVX512_6x1, gemmAVX512_7x1,
					gemmAVX512_8x1, gemmAVX512_9x1, gemmAVX512_10x1, gemmAVX512_11x1, gemmAVX512_12x1, gemmAVX512_13x1, gemmAVX512_14x1},
				{gemmAVX512_1x2, gemmAVX512_2x2, gemmAVX512_3x2, gemmAVX512_4x2, gemmAVX512_5x2, gemmAVX512_6x2, gemmAVX512_7x2,
					gemmAVX512_8x2, gemmAVX512_9x2, gemmAVX512_10x2, gemmAVX512_11x2, gemmAVX512_12x2, gemmAVX512_13x2, gemmAVX512_14x2},
				{gemmAVX512_1x3, gemmAVX512_2x3, gemmAVX512_3x3, gemmAVX512_4x3, gemmAVX512_5x3, gemmAVX512_6x3, gemmAVX512_7x3,
					gemmAVX512_8x3, gemmAVX512_9x3},
			}},
			transforms: map[int]transforms{
				2: float32Transforms(winogradInputAVX512_2, winogradWeightsAVX512_2, winogradOutputAVX512_2),
				4: float32Transforms(winogradInputAVX512_4, winogradWeightsAVX512_4, winogradOutputAVX512_4),
				5: float32Transforms(winogradInputAVX512_5, winogradWeightsAVX512_5, winogradOutputAVX512_5),
			},
			addScaled: addScaledAVX512, gate: gateAVX512, sum: sumAVX512,
		}
		if cpu.X86.HasAVX512BF16 {
			w.gemm[BFloat16] = [][]gemmFunc{
				{gemmBF16_1x1, gemmBF16_2x1, gemmBF16_3x1, gemmBF16_4x1, gemmBF16_5x1, gemmBF16_6x1, gemmBF16_7x1,
					gemmBF16_8x1, gemmBF16_9x1, gemmBF16_10x1, gemmBF16_11x1, gemmBF16_12x1, gemmBF16_13x1, gemmBF16_14x1},
				{gemmBF16_1x2, gemmBF16_2x2, gemmBF16_3x2, gemmBF16_4x2, gemmBF16_5x2, gemmBF16_6x2, gemmBF16_7x2,
					gemmBF16_8x2, gemmBF16_9x2, gemmBF16_10x2, gemmBF16_11x2, gemmBF16_12x2, gemmBF16_13x2, gemmBF16_14x2},
				{gemmBF16_1x3, gemmBF16_2x3, gemmBF16_3x3, gemmBF16_4x3, gemmBF16_5x3, gemmBF16_6x3, gemmBF16_7x3,
					gemmBF16_8x3, gemmBF16_9x3},
			}
			t := w.transforms[2]
			t.input[BFloat16], t.weights[BFloat16] = winogradInputBF16_2, winogradWeightsBF16_2
			w.transforms[2] = t
			w.narrow = narrowBF16
			w.epilogue = [elemCount]epilogueFunc{Float32: epilogueAVX512, BFloat16: epilogueBF16}
			if requestAMX() {
				w.amx = stripsAMX
			}
		}
		v = append(v, w)
	}
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		v = append(v, &Variant{
			name: "avx2",
			gemm: [elemCount][][]gemmFunc{Float32: {{gemmAVX2_1x1, gemmAVX2_2x1, gemmAVX2_3x1, gemmAVX2_4x1, gemmAVX2_5x1, gemmAVX2_6x1}}},
			transforms: map[int]transforms{
				2: float32Transforms(winogradInputAVX2_2, winogradWeightsAVX2_2, winogradOutputAVX2_2),
				4: float32Transforms(winogradInputAVX2_4, winogradWeightsAVX2_4, winogradOutputAVX2_4),
				5: float32Transforms(winogradInputAVX2_5, winogradWeightsAVX2_5, winogradOutputAVX2_5),
			},
			addScaled: addScaledAVX2, gate: gateAVX2, sum: sumAVX2,
		})
	}
	return v
}
