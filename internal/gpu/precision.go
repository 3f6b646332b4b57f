package gpu

import (
	"fmt"

	"repvgg/internal/engine"
)

// Precisions are those of a Runner. Pooling, squeeze-and-excitation and the head
// always compute in float32.
func Precisions() []engine.Precision {
	return []engine.Precision{engine.FP32, engine.TF32, engine.BF16, engine.FP16, engine.Auto}
}

// precision is one of Precisions, with what it means on a GPU.
type precision engine.Precision

const (
	fp32 = precision(engine.FP32)
	tf32 = precision(engine.TF32)
	bf16 = precision(engine.BF16)
	fp16 = precision(engine.FP16)
	auto = precision(engine.Auto)
)

// String is the precision's name.
func (p precision) String() string { return engine.Precision(p).String() }

// size is the number of bytes of a value.
func (p precision) size() int {
	if p == fp16 || p == bf16 {
		return 2
	}
	return 4
}

// resolve checks p against the compute capability (major*10 + minor) of a GPU. It
// replaces auto by the precision that auto means there.
func (p precision) resolve(capability int) (precision, error) {
	const ampere = 80 // the first with bfloat16 and TF32
	switch {
	case p == auto && capability >= ampere:
		return tf32, nil
	case p == auto:
		return fp32, nil
	case (p == bf16 || p == tf32) && capability < ampere:
		return 0, fmt.Errorf("%v needs a GPU of compute capability 8.0, and this one has %d.%d; use fp16 or fp32", p, capability/10, capability%10)
	case p == fp16 && capability < 53:
		return 0, fmt.Errorf("fp16 needs a GPU of compute capability 5.3, and this one has %d.%d; use fp32", capability/10, capability%10)
	}
	return p, nil
}
