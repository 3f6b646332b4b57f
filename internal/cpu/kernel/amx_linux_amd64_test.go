//go:build !noasm

package kernel

import (
	"math/rand/v2"
	"testing"
)

// TestGemmAMXAtPageEnds faults if the call touches what lies behind its
// matrices.
func TestGemmAMXAtPageEnds(t *testing.T) {
	emulated := useAMX(t)
	rng := rand.New(rand.NewPCG(1, 2))
	for _, rows := range [][2]int{{1, 0}, {7, 0}, {16, 0}, {16, 1}, {16, 16}, {3, 5}} {
		for panels := 1; panels <= 2; panels++ {
			c := newAMXCase(rng, rows[0], rows[1], panels, 3, 2)
			c.after = 0
			c.memory = func(floats int) []float32 { return atPageEnd(t, floats) }
			if err := c.run(rng, emulated); err != nil {
				t.Fatalf("%+v: %v", c, err)
			}
		}
	}
}
