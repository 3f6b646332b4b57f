package gpu

import (
	"fmt"
	"slices"
	"strings"
)

// Precision is what numbers are kept and multiplied in. Sums are always of
// float32, and so are the pooling, squeeze-and-excitation and the head.
type Precision uint8

const (
	// FP32 is float32 without tensor cores.
	FP32 Precision = iota
	// TF32 keeps float32 and lets tensor cores round the factors to 10 bits of
	// mantissa.
	TF32
	// BF16 keeps bfloat16.
	BF16
	// FP16 keeps IEEE half precision, which ends at 65504: a layer whose results
	// are larger is reported.
	FP16
	// Auto is TF32 where the GPU has it, else FP32: what keeps the results for
	// any weights.
	Auto
)

var precisions = []string{FP32: "fp32", TF32: "tf32", BF16: "bf16", FP16: "fp16", Auto: "auto"}

// Precisions are the names of those there are.
func Precisions() []string { return slices.Clone(precisions) }

// ParsePrecision is the inverse of String.
func ParsePrecision(name string) (Precision, error) {
	if i := slices.Index(precisions, name); i >= 0 {
		return Precision(i), nil
	}
	return 0, fmt.Errorf("unknown precision %q; want one of %s", name, strings.Join(precisions, ", "))
}

// String is the name on the command line.
func (p Precision) String() string { return precisions[p] }

// size is that of a value in bytes.
func (p Precision) size() int {
	if p == FP16 || p == BF16 {
		return 2
	}
	return 4
}

// resolve checks p against the compute capability (major*10 + minor) of a GPU,
// and decides for Auto.
func (p Precision) resolve(capability int) (Precision, error) {
	const ampere = 80 // the first with bfloat16 and TF32
	switch {
	case p == Auto && capability >= ampere:
		return TF32, nil
	case p == Auto:
		return FP32, nil
	case (p == BF16 || p == TF32) && capability < ampere:
		return 0, fmt.Errorf("%v needs a GPU of compute capability 8.0, and this one has %d.%d; use fp16 or fp32", p, capability/10, capability%10)
	case p == FP16 && capability < 53:
		return 0, fmt.Errorf("fp16 needs a GPU of compute capability 5.3, and this one has %d.%d; use fp32", capability/10, capability%10)
	}
	return p, nil
}
