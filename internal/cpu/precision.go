package cpu

import (
	"fmt"

	"repvgg/internal/cpu/kernel"
	"repvgg/internal/engine"
)

// Precisions are those that a Runner can have. With engine.BF16 convolutions may
// round their inputs and weights to bfloat16 where that is faster than float32.
// The larger tiles of Winograd's algorithms, which are too inexact for bfloat16,
// stay in float32, as do the first layer and the head.
func Precisions() []engine.Precision { return []engine.Precision{engine.FP32, engine.BF16} }

// Supported is an error if this processor cannot compute in a precision.
func Supported(p engine.Precision) error { return supportedBy(p, kernel.Variants()[0]) }

func supportedBy(p engine.Precision, v *kernel.Variant) error {
	switch {
	case p == engine.BF16 && !v.Has(kernel.BFloat16):
		return fmt.Errorf("bf16 needs a processor with AVX512-BF16, and this one has %v kernels only; use fp32", v)
	case p != engine.FP32 && p != engine.BF16:
		return fmt.Errorf("%v is not a precision of the CPU; use fp32 or bf16", p)
	}
	return nil
}

// Peak measures the most GFLOP/s that threads can do in a precision; 0 if the
// machine has no instructions for it.
func Peak(p engine.Precision, threads int) float64 {
	elem := kernel.Float32
	if p == engine.BF16 {
		elem = kernel.BFloat16
	}
	return kernel.Variants()[0].Peak(threads, elem)
}
