package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"repvgg/internal/model"
	"repvgg/internal/tensor"
	"repvgg/internal/testkit"
)

// TestLayerErrors prints the tables of docs/numerics.md, by make numerics: errors
// of each algorithm on layers as they are in a trained network, with inputs as
// after ReLU and He weights. Largest error over largest output; rms over rms.
func TestLayerErrors(t *testing.T) {
	if os.Getenv("REPVGG_LAYER_ERRORS") == "" {
		t.Skip("run by make numerics")
	}
	const size = 30
	widths := []int{48, 96, 192, 512}
	rows := map[string][]string{}
	for _, channels := range widths {
		s := model.Conv{In: channels, Out: channels, KernelH: 3, KernelW: 3, Stride: 1, PadH: 1, PadW: 1, Dilation: 1, Groups: 1}
		rng := rand.New(rand.NewPCG(uint64(channels), 8))
		p := &problem{Conv: s, n: 1, h: size, w: size, oh: size, ow: size, bias: make([]float32, s.Out)}
		p.weight, p.weight64 = randomFloats(rng, tensor.Numel(s.WeightShape()), math.Sqrt(2/float64(9*channels)))
		_, p.values = randomFloats(rng, s.In*size*size, 1)
		for i, v := range p.values {
			p.values[i] = testkit.ReLU(v)
		}
		want, _ := testkit.Conv{Conv: s}.Apply(p.weight64, nil, p.values, size, size)
		for _, v := range Variants() {
			for _, c := range p.algorithms(t, v) {
				dst, _ := p.outputs(1)
				var scratch Scratch
				c.Run(dst, p.input(v, c), 1, p.epilogue(false, false), Share{0, 1, &scratch})
				var largest, worst, sum, squares float64
				for k, w := range want {
					channel := k / (size * size)
					d := dst.value(0, channel, k/size%size, k%size) - w
					largest, worst = max(largest, math.Abs(w)), max(worst, math.Abs(d))
					sum, squares = sum+d*d, squares+w*w
				}
				name := fmt.Sprintf("%s, %v", c.Algorithm(), v)
				rows[name] = append(rows[name], fmt.Sprintf("%.1e; %.1e", worst/largest, math.Sqrt(sum/squares)))
			}
		}
	}
	var names []string
	for name := range rows {
		names = append(names, name)
	}
	slices.Sort(names)
	fmt.Printf("| algorithm | %d channels | %d | %d | %d |\n|---|---|---|---|---|\n", widths[0], widths[1], widths[2], widths[3])
	for _, name := range names {
		fmt.Printf("| %s | %s |\n", name, strings.Join(rows[name], " | "))
	}
}
