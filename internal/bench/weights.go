package bench

import (
	"hash/fnv"
	"math"
	"math/rand/v2"

	"repvgg/internal/model"
	"repvgg/internal/tensor"
)

// RandomWeights returns random weights with a fixed seed for any plan. With them,
// activations keep their size from the first layer to the last, as in a trained
// network. This matters because arithmetic on zeros, denormals or infinities could
// take a different time.
//
// Convolution weights have the variance 2 / fan-in (He et al., "Delving deep into
// rectifiers", 2015). The running means are about 0 and the running variances about
// 1. The scales of the normalizations are chosen so that the sum of a train block's
// branches keeps the size too. The gates of squeeze-and-excitation are nearly open.
func RandomWeights(p *model.Plan) tensor.Source {
	return &randomWeights{scales: normScales(p), variances: p.Variances(), gates: gateBiases(p)}
}

type randomWeights struct {
	scales           map[string]float64
	variances, gates map[string]bool
}

// Rows writes values that depend only on the name of the tensor and on the row.
func (r *randomWeights) Rows(dst []float32, s tensor.Spec, from, to int) error {
	mean, span := 0.0, 0.1
	switch {
	case r.scales[s.Name] > 0:
		mean, span = r.scales[s.Name], 0.1*r.scales[s.Name]
	case r.variances[s.Name]:
		mean = 1
	case r.gates[s.Name]:
		mean = 4 // a gate of 0.98
	case len(s.Shape) > 1:
		// The variance of a uniform value within +-span is span^2 / 3.
		span = math.Sqrt(6 / float64(s.RowLen()))
	}
	name := fnv.New64a()
	name.Write([]byte(s.Name))
	var seeded rand.PCG
	rng, width := rand.New(&seeded), s.RowLen()
	for row := from; row < to; row++ {
		seeded.Seed(name.Sum64(), uint64(row))
		for i := range width {
			dst[(row-from)*width+i] = float32(mean + span*(2*rng.Float64()-1))
		}
	}
	return nil
}

// normScales returns the scale of each normalization, by name. A convolution
// doubles the mean square of its input and an identity keeps it. The sum of the
// branches should double it.
func normScales(p *model.Plan) map[string]float64 {
	scales := make(map[string]float64)
	for i := range p.Blocks {
		b := &p.Blocks[i]
		gain := 0.0
		for j := range b.Branches {
			if gain++; !b.Branches[j].Identity() {
				gain++
			}
		}
		for _, branch := range b.Branches {
			if branch.Norm != nil {
				scales[branch.Norm.Gamma()] = math.Sqrt(2 / gain)
			}
		}
	}
	return scales
}

// gateBiases returns the names of the biases that decide how open the gates are.
func gateBiases(p *model.Plan) map[string]bool {
	names := make(map[string]bool)
	for i := range p.Blocks {
		if se := p.Blocks[i].SE; se != nil {
			names[se.Expand.Bias] = true
		}
	}
	return names
}

// randomImages returns normalised images: independent values with mean 0 and
// variance 1.
func randomImages(n int) []float32 {
	rng := rand.New(rand.NewPCG(3, 4))
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(math.Sqrt(3) * (2*rng.Float64() - 1))
	}
	return values
}
