package gpu

import (
	"fmt"

	"repvgg/internal/gpu/cuda"
)

// UnavailableError says why this process can use no GPU at all: the build has no
// cgo, or the machine has no driver or no device.
type UnavailableError = cuda.UnavailableError

// overflow is the error for a layer whose results are not finite.
func overflow(layer string, p precision) error {
	if p == fp16 {
		return fmt.Errorf("running the network: the results of %q are not finite: fp16 ends at 65504; use bf16, tf32 or fp32", layer)
	}
	return fmt.Errorf("running the network: the results of %q are not finite in %v: the checkpoint holds weights that are not finite, or too large", layer, p)
}
