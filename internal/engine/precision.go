package engine

import (
	"fmt"
	"slices"
	"strings"
)

// Precision is the type in which values are stored and multiplied. Sums are always
// float32. Each runner supports some of the precisions.
type Precision uint8

const (
	// FP32 computes in float32 throughout.
	FP32 Precision = iota
	// BF16 rounds the inputs and weights of convolutions to bfloat16. The CPU does so
	// where that is faster. A GPU also stores feature maps in bfloat16.
	BF16
	// TF32 stores float32, and lets a GPU's tensor cores round the factors to 10 bits
	// of mantissa.
	TF32
	// FP16 is IEEE half precision, on a GPU. Its largest value is 65504. A layer with
	// larger results is an error.
	FP16
	// Auto is TF32 if the GPU has it, else FP32. Both have float32's range, so they
	// work with any weights.
	Auto
)

var precisions = []string{FP32: "fp32", BF16: "bf16", TF32: "tf32", FP16: "fp16", Auto: "auto"}

// String returns the word for the precision in flags and messages.
func (p Precision) String() string { return precisions[p] }

// ParsePrecision returns the precision with the given name among those that a
// runner supports.
func ParsePrecision(name string, among []Precision) (Precision, error) {
	i := slices.IndexFunc(among, func(p Precision) bool { return p.String() == name })
	if i < 0 {
		return 0, fmt.Errorf("unknown precision %q; want %s", name, strings.Join(PrecisionNames(among), " or "))
	}
	return among[i], nil
}

// PrecisionNames returns the words for precisions.
func PrecisionNames(of []Precision) []string {
	names := make([]string, len(of))
	for i, p := range of {
		names[i] = p.String()
	}
	return names
}
