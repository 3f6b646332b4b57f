package cpu

import (
	"fmt"
	"testing"

	"repvgg/internal/cpu/kernel"
	"repvgg/internal/model"
	"repvgg/internal/tensor"
	"repvgg/internal/testkit"
)

// What the published RepVGGs do not have, but a plan may: any number of branches,
// rectangular kernels, branches with a bias and without a norm, several
// identities, blocks without a ReLU.
func TestOtherFamilies(t *testing.T) {
	for _, v := range kernel.Variants() {
		for name, p := range otherPlans() {
			values := testkit.Weights(p, 1)
			deploy := make(tensor.Map)
			for _, spec := range p.As(model.Deploy).Tensors() {
				x, err := tensor.Load(model.Fold(p, values), spec)
				if err != nil {
					t.Fatal(err)
				}
				deploy[spec.Name] = x
			}
			for form, values := range map[model.Form]tensor.Map{model.Train: values, model.Deploy: deploy} {
				t.Run(fmt.Sprintf("%v/%s/%v", v, name, form), func(t *testing.T) {
					r := newVariantRunner(t, p.As(form), values, 2, v)
					for _, size := range [][2]int{{1, 1}, {7, 9}, {24, 21}} {
						checkRun(t, r, testkit.Network{Plan: p.As(form), Values: values}, 5, size[0], size[1])
					}
				})
			}
		}
	}
}

func otherPlans() map[string]*model.Plan {
	branch := func(b *model.Block, name string, h, w int, bias, norm bool) {
		c := b.Kernel(h, w)
		added := model.Branch{Name: name, Conv: &c, Weight: b.Name + "." + name + ".conv.weight"}
		if bias {
			added.Bias = b.Name + "." + name + ".conv.bias"
		}
		if norm {
			added.Norm = &model.Norm{Name: b.Name + "." + name + ".bn", Eps: 1e-3}
		}
		b.Branches = append(b.Branches, added)
	}
	plan := func(blocks ...testkit.Shape) *model.Plan { return testkit.Plan(model.Train, 5, blocks...) }

	asymmetric := plan(testkit.Block(3, 8, 2, 1, 1, 0), testkit.Block(8, 20, 1, 1, 1, 0), testkit.Block(20, 20, 1, 1, 2, 0))
	for i := range asymmetric.Blocks {
		b := &asymmetric.Blocks[i]
		branch(b, "hor", 1, 3, false, true)
		branch(b, "ver", 3, 1, true, true)
	}

	many := plan(testkit.Block(3, 8, 2, 1, 1, 0), testkit.Block(8, 8, 1, 1, 1, 0), testkit.Block(8, 8, 1, 1, 8, 0))
	for i := range many.Blocks {
		b := &many.Blocks[i]
		for j := range 3 {
			branch(b, fmt.Sprintf("more_%d", j), 3, 3, j == 1, j != 2)
		}
	}
	same := &many.Blocks[1]
	same.Branches = append(same.Branches, model.Branch{Name: "skip"},
		model.Branch{Name: "skip_norm", Norm: &model.Norm{Name: same.Name + ".skip_norm", Eps: 1e-5}})

	single := plan(testkit.Block(3, 8, 2, 1, 1, 0), testkit.Block(8, 20, 1, 1, 1, 0))
	for i := range single.Blocks {
		single.Blocks[i].Branches = single.Blocks[i].Branches[:1]
	}

	linear := plan(testkit.Block(3, 8, 2, 1, 1, 0), testkit.Block(8, 8, 1, 1, 1, 0), testkit.Block(8, 20, 2, 1, 1, 3), testkit.Block(20, 20, 1, 1, 1, 4))
	for i := range linear.Blocks {
		if i != 1 {
			linear.Blocks[i].Activation = model.NoActivation
		}
	}
	return map[string]*model.Plan{"asymmetric": asymmetric, "many": many, "single": single, "linear": linear}
}
