package model_test

import (
	"fmt"
	"math"
	"path/filepath"
	"testing"

	"repvgg/internal/checkpoint"
	"repvgg/internal/convert"
	"repvgg/internal/cpu"
	"repvgg/internal/engine"
	"repvgg/internal/model"
	"repvgg/internal/onnx"
	"repvgg/internal/tensor"
	"repvgg/internal/testkit"
	"repvgg/internal/testkit/need"
	"repvgg/internal/weights"
)

// The made-up family below shows all that a new family needs: its blocks and the
// names of their tensors, as data. No other code knows about it.

// block returns the block trunk.N. Its branches have the given kernels: h x w, or 0
// x 0 for an identity. They fold into c.
func block(index int, c model.Conv, kernels ...[2]int) model.Block {
	name := fmt.Sprintf("trunk.%d", index)
	b := model.Block{Name: name, Conv: c, Weight: name + ".fused.weight", Bias: name + ".fused.bias"}
	for i, k := range kernels {
		branch := model.Branch{Name: fmt.Sprintf("path_%d", i), Norm: &model.Norm{Name: fmt.Sprintf("%s.path_%d.bn", name, i), Eps: 1e-3}}
		if k != [2]int{} {
			shape := c.Kernel(k[0], k[1])
			branch.Conv, branch.Weight = &shape, fmt.Sprintf("%s.path_%d.conv.weight", name, i)
		}
		b.Branches = append(b.Branches, branch)
	}
	return b
}

// made returns a network of four blocks: three 3x3 branches; 3x3, 1x3 and 3x1
// branches; a depthwise 3x3 with a 1x1 and an identity; and two 1x1 branches.
func made() *model.Plan {
	conv := func(in, out, kernel, stride, groups int) model.Conv {
		return model.Conv{In: in, Out: out, KernelH: kernel, KernelW: kernel, Stride: stride, PadH: kernel / 2, PadW: kernel / 2, Dilation: 1, Groups: groups}
	}
	own := &model.KeyMap{ID: "made", Owner: "a made-up framework"}
	foreign := &model.KeyMap{ID: "other", Owner: "another framework", Common: []model.Rule{{Plan: "classifier", File: "out"}}}
	for _, part := range []string{"conv", "bn"} {
		rule := model.Rule{Plan: "trunk.{}.path_{}." + part, File: "layers.{1}.branches.{}." + part}
		own.Rules = append(own.Rules, model.Rule{Plan: rule.Plan, File: rule.Plan})
		foreign.Rules = append(foreign.Rules, rule)
	}
	foreign.Rules = append(foreign.Rules, model.Rule{Plan: "trunk.{}.fused", File: "layers.{1}.reparam"})
	own.Rules = append(own.Rules, model.Rule{Plan: "trunk.{}.fused", File: "trunk.{}.fused"})
	return &model.Plan{
		InChannels: 3,
		Blocks: []model.Block{
			block(0, conv(3, 20, 3, 2, 1), [2]int{3, 3}, [2]int{3, 3}, [2]int{3, 3}),
			block(1, conv(20, 20, 3, 1, 1), [2]int{3, 3}, [2]int{1, 3}, [2]int{3, 1}),
			block(2, conv(20, 20, 3, 1, 20), [2]int{3, 3}, [2]int{1, 1}, [2]int{}),
			block(3, conv(20, 24, 1, 1, 1), [2]int{1, 1}, [2]int{1, 1}),
		},
		Depth:  4,
		Head:   &model.Head{Features: 24, Classes: 7, LinearNames: model.LinearNames{Weight: "classifier.weight", Bias: "classifier.bias"}},
		Family: &model.Family{Name: "Made", KeyMaps: []*model.KeyMap{own, foreign}},
	}
}

// TestNewFamily takes the made-up family from a checkpoint with another framework's
// names through fusion, verification, running both forms, and ONNX.
func TestNewFamily(t *testing.T) {
	const n, h, w, testdata = 2, 17, 22, "../../testdata"
	plan := made()
	values := testkit.Weights(plan, 5)
	foreign := plan.Family.KeyMaps[1]
	src, dst := filepath.Join(t.TempDir(), "train.pth"), filepath.Join(t.TempDir(), "deploy.safetensors")
	testkit.WriteCheckpoint(t, src, foreign.Specs(plan.Tensors()), plan.Tensors(), values)

	train, err := weights.OpenForm(src, plan, checkpoint.Choice{})
	if err != nil {
		t.Fatal(err)
	}
	defer train.Close()
	if train.KeyMap != foreign {
		t.Errorf("the names are said to be those of %s", train.KeyMap.Owner)
	}
	if err := convert.WriteDeploy(t.Context(), train, dst, foreign, nil); err != nil {
		t.Fatal(err)
	}
	deploy, err := weights.OpenForm(dst, plan.As(model.Deploy), checkpoint.Choice{})
	if err != nil {
		t.Fatal(err)
	}
	defer deploy.Close()
	newRunner := func(p *model.Plan, src tensor.Source) (engine.Runner, error) { return cpu.New(p, src, cpu.Options{}) }
	if err := convert.Verify(t.Context(), train, deploy, newRunner, func(d convert.Difference) { t.Logf("%s: %.2g", d.Part, d.Relative()) }); err != nil {
		t.Error(err)
	}

	x := testkit.Images(n*3*h*w, 3)
	var want []float64
	for i := range n {
		want = append(want, testkit.Network{Plan: plan, Values: values}.Image(x[i*3*h*w:][:3*h*w], h, w)...)
	}
	for _, set := range []*weights.Set{train, deploy} {
		r, err := newRunner(set.Plan, set)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		got := make([]float32, n*7)
		if err := r.Run(t.Context(), got, x, n, h, w); err != nil {
			t.Fatal(err)
		}
		compare(t, set.Plan.Form.String()+" form", got, want)
	}

	exported, err := onnx.New(plan.As(model.Deploy), onnx.Options{Output: onnx.Logits})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "model.onnx")
	if err := exported.Write(t.Context(), path, train.Deploy(), train.Verify); err != nil {
		t.Fatal(err)
	}
	r, err := need.RunONNX(t, testdata, path, x, []int{n, 3, h, w})
	if err != nil {
		t.Fatal(err)
	}
	compare(t, "onnxruntime", r.Values, want)
}

// compare allows for float32 rounding over four blocks.
func compare(t *testing.T, what string, got []float32, want []float64) {
	t.Helper()
	largest, worst := 0.0, 0.0
	for i, v := range want {
		largest = max(largest, math.Abs(v))
		worst = max(worst, math.Abs(float64(got[i])-v))
	}
	if t.Logf("%s: off by %.2g of the largest logit", what, worst/largest); !(worst <= 5e-6*largest) {
		t.Errorf("%s: logits are off by %g of %g", what, worst, largest)
	}
}
