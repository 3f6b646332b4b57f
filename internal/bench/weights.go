package bench

import (
	"math"
	"math/rand/v2"
	"strings"

	"repvgg/internal/model"
	"repvgg/internal/tensor"
)

// RandomWeights gives seeded random values for any plan with which activations
// keep their size from the first layer to the last, as in a trained network:
// arithmetic on zeros, denormals or infinities could take another time.
//
// Convolutions have the variance 2 / fan-in (He et al., "Delving deep into
// rectifiers", 2015). The scales of the normalizations, whose statistics are
// about 0 and 1, make the sum of a train block's branches do the same, and the
// gates of squeeze-and-excitation are nearly open.
func RandomWeights(p *model.Plan) func(tensor.Spec) ([]float32, error) {
	norm := normScales(p)
	rng := rand.New(rand.NewPCG(1, 2))
	return func(s tensor.Spec) ([]float32, error) {
		mean, span := 0.0, 0.1
		switch {
		case norm[s.Name] > 0:
			mean, span = norm[s.Name], 0.1*norm[s.Name]
		case strings.HasSuffix(s.Name, ".running_var"):
			mean = 1
		case strings.HasSuffix(s.Name, ".conv2.conv.bias"):
			mean = 4 // a gate of 0.98
		case len(s.Shape) > 1:
			// The variance of a uniform value within +-span is span^2 / 3.
			span = math.Sqrt(6 / float64(tensor.Numel(s.Shape[1:])))
		}
		values := make([]float32, s.Numel())
		for i := range values {
			values[i] = float32(mean + span*(2*rng.Float64()-1))
		}
		return values, nil
	}
}

// normScales are the scales of the normalizations by name. The convolutions
// double the mean square of their input, the identity keeps it; the sum should
// double it.
func normScales(p *model.Plan) map[string]float64 {
	scales := make(map[string]float64)
	for i := range p.Blocks {
		b := &p.Blocks[i]
		gain := 2.0 + 2
		if b.Identity {
			gain++
		}
		for _, c := range []model.ConvBN{b.Conv3x3(), b.Conv1x1(), b.IdentityNorm()} {
			scales[c.Gamma()] = math.Sqrt(2 / gain)
		}
	}
	return scales
}

// randomImages are normalised images: independent values of mean 0, variance 1.
func randomImages(n int) []float32 {
	rng := rand.New(rand.NewPCG(3, 4))
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(math.Sqrt(3) * (2*rng.Float64() - 1))
	}
	return values
}
