package convert

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"repvgg/internal/engine"
	"repvgg/internal/model"
	"repvgg/internal/tensor"
	"repvgg/internal/weights"
)

// Tolerances of Verify, relative to the largest magnitude in the train form's
// output. docs/numerics.md has the measurements behind them.
const (
	BlockTolerance  = 5e-5
	LogitsTolerance = 1e-4
)

// NewRunner makes a runner from a plan and the values of its tensors.
type NewRunner func(p *model.Plan, weights tensor.Source) (engine.Runner, error)

// Difference is the difference between the outputs of the two forms.
type Difference struct {
	// Part is a block's name, or "logits" for the whole network.
	Part string
	// Max is the largest absolute difference. Largest is the largest magnitude in the
	// train form's output.
	Max, Largest float64
	Tolerance    float64
}

// Relative returns Max relative to Largest.
func (d Difference) Relative() float64 {
	if d.Max == 0 {
		return 0
	}
	return d.Max / d.Largest
}

// OK reports whether the difference is within its tolerance. NaN is not.
func (d Difference) OK() bool { return d.Relative() <= d.Tolerance }

// Verify runs both forms of a network on seeded input. It calls report with the
// difference of each block and of the logits. A block gets the same normally
// distributed input in both forms, so that an error shows only in the block that
// has it. The logits are those of the whole networks.
//
// If parts differ by more than their tolerances, the error is a Mismatch for the
// worst one.
func Verify(ctx context.Context, src, dst *weights.Set, newRunner NewRunner, report func(Difference)) error {
	train, deploy := src.Plan, dst.Plan
	var worst *Difference // of the parts above their tolerance
	check := func(part string, t, d *model.Plan, h, w int, tolerance float64) error {
		diff, err := compare(ctx, side{t, src}, side{d, dst}, newRunner, h, w)
		if err != nil {
			return fmt.Errorf("verifying %s: %w", part, err)
		}
		diff.Part, diff.Tolerance = part, tolerance
		report(diff)
		if !diff.OK() && (worst == nil || !(diff.Relative() <= worst.Relative())) {
			worst = &diff
		}
		return nil
	}
	for i := range train.Blocks {
		const side = 8
		if err := check(train.Blocks[i].Name, train.Block(i), deploy.Block(i), side, side, BlockTolerance); err != nil {
			return err
		}
	}
	failed, amplified := worst, false
	const side = 64
	if err := check("logits", train, deploy, side, side, LogitsTolerance); err != nil {
		return err
	}
	// A wrong block makes the logits wrong too, so name the block.
	if failed == nil {
		failed, amplified = worst, true
	}
	for _, c := range []*weights.Set{src, dst} {
		if err := c.Verify(); err != nil {
			return err
		}
	}
	if failed != nil {
		return &Mismatch{dst.File.Path, *failed, amplified}
	}
	return nil
}

// Mismatch is the error for two forms that differ by more than rounding.
type Mismatch struct {
	Path string
	Difference
	// Amplified is set if every block agrees. Then the network itself amplifies
	// rounding errors, as an untrained one may.
	Amplified bool
}

func (m *Mismatch) Error() string {
	text := fmt.Sprintf("verifying %q: %s differs by %.3g of its largest value, more than the tolerance of %.3g; no file was kept",
		m.Path, m.Part, m.Relative(), m.Tolerance)
	if m.Amplified {
		text += "; every block agrees: the network itself amplifies rounding errors, as an untrained network may"
	}
	return text
}

// side is one of the two forms that are compared.
type side struct {
	plan    *model.Plan
	weights tensor.Source
}

// compare runs both plans on one seeded image of h x w.
func compare(ctx context.Context, train, deploy side, newRunner NewRunner, h, w int) (Difference, error) {
	rng := rand.New(rand.NewPCG(1, 2))
	x := make([]float32, train.plan.InChannels*h*w)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	var out [2][]float32
	for i, side := range []side{train, deploy} {
		r, err := newRunner(side.plan, side.weights)
		if err != nil {
			return Difference{}, err
		}
		out[i] = make([]float32, side.plan.OutLen(h, w))
		err = r.Run(ctx, out[i], x, 1, h, w)
		if cerr := r.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			return Difference{}, err
		}
	}
	var d Difference
	for i, want := range out[0] {
		got := float64(out[1][i])
		d.Largest = max(d.Largest, math.Abs(float64(want)))
		d.Max = max(d.Max, math.Abs(got-float64(want)))
	}
	return d, nil
}
