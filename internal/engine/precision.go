package engine

import (
	"fmt"
	"slices"
	"strings"
)

// Precision is what numbers are kept and multiplied in. Sums are always of
// float32. Each runner has some of them.
type Precision uint8

const (
	// FP32 computes in float32 throughout.
	FP32 Precision = iota
	// BF16 rounds the inputs and weights of convolutions to bfloat16. On the CPU it
	// does so where that is faster; on a GPU it keeps feature maps in bfloat16.
	BF16
	// TF32 keeps float32 and lets a GPU's tensor cores round the factors to 10 bits
	// of mantissa.
	TF32
	// FP16 keeps IEEE half precision on a GPU. It ends at 65504: a layer whose results
	// are larger is reported.
	FP16
	// Auto is TF32 where the GPU has it, else FP32: what keeps the results for any
	// weights.
	Auto
)

var precisions = []string{FP32: "fp32", BF16: "bf16", TF32: "tf32", FP16: "fp16", Auto: "auto"}

// String is the word for it in flags and messages.
func (p Precision) String() string { return precisions[p] }

// ParsePrecision finds a precision among those that a runner has.
func ParsePrecision(name string, among []Precision) (Precision, error) {
	i := slices.IndexFunc(among, func(p Precision) bool { return p.String() == name })
	if i < 0 {
		return 0, fmt.Errorf("unknown precision %q; want %s", name, strings.Join(PrecisionNames(among), " or "))
	}
	return among[i], nil
}

// PrecisionNames are the words for precisions.
func PrecisionNames(of []Precision) []string {
	names := make([]string, len(of))
	for i, p := range of {
		names[i] = p.String()
	}
	return names
}
