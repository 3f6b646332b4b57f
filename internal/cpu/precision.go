package cpu

import (
	"fmt"
	"strings"

	"repvgg/internal/cpu/kernel"
)

// Precision is what numbers are multiplied in; sums are always of float32.
type Precision uint8

const (
	// FP32 computes in float32 throughout.
	FP32 Precision = iota
	// BF16 allows convolutions to round their inputs and weights to bfloat16,
	// where that is faster than float32. The larger tiles of Winograd's
	// algorithms, which are too inexact for bfloat16, stay in float32, as do the
	// first layer and the head.
	BF16
)

var precisions = []string{FP32: "fp32", BF16: "bf16"}

// Precisions are the names of those there are.
func Precisions() []string { return append([]string(nil), precisions...) }

// ParsePrecision is the inverse of String.
func ParsePrecision(name string) (Precision, error) {
	for p, known := range precisions {
		if name == known {
			return Precision(p), nil
		}
	}
	return 0, fmt.Errorf("unknown precision %q; want %s", name, strings.Join(precisions, " or "))
}

// String is the name on the command line.
func (p Precision) String() string { return precisions[p] }

// Supported is an error if this processor cannot compute in p.
func (p Precision) Supported() error { return p.supportedBy(kernel.Variants()[0]) }

func (p Precision) supportedBy(v *kernel.Variant) error {
	if p == BF16 && !v.BF16() {
		return fmt.Errorf("bf16 needs a processor with AVX512-BF16, and this one has %v kernels only; use fp32", v)
	}
	return nil
}

// Peak measures the most GFLOP/s that threads can do in a precision; 0 if the
// machine has no instructions for it.
func Peak(p Precision, threads int) float64 {
	return kernel.Variants()[0].Peak(threads, p == BF16)
}
