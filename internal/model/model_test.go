package model

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"repvgg/internal/tensor"
)

// two returns a network of two blocks and a head. The blocks have 3x3 and 1x1
// branches, and the second also has an identity and squeeze-and-excitation.
func two() *Plan {
	block := func(name string, c Conv) Block {
		b := Block{Name: name, Conv: c, Weight: name + ".w", Bias: name + ".b"}
		for i, k := range []int{3, 1} {
			shape := c.Kernel(k, k)
			part := name + "." + string(rune('x'+i))
			b.Branches = append(b.Branches, Branch{Name: string(rune('x' + i)), Conv: &shape, Weight: part + ".w", Norm: &Norm{Name: part + ".bn", Eps: 1e-5}})
		}
		return b
	}
	first := block("a", Conv{In: 3, Out: 4, KernelH: 3, KernelW: 3, Stride: 2, PadH: 1, PadW: 1, Dilation: 1, Groups: 1})
	second := block("b", Conv{In: 4, Out: 4, KernelH: 3, KernelW: 3, Stride: 1, PadH: 2, PadW: 2, Dilation: 2, Groups: 2})
	second.Branches = append(second.Branches, Branch{Name: "id", Norm: &Norm{Name: "b.id", Eps: 1e-5}})
	second.SE = &SqueezeExcite{Channels: 2, Name: "se", Reduce: LinearNames{"b.r.w", "b.r.b"}, Expand: LinearNames{"b.e.w", "b.e.b"}}
	return &Plan{InChannels: 3, Blocks: []Block{first, second}, Depth: 2, Head: &Head{4, 5, LinearNames{"h.w", "h.b"}}}
}

func TestPlanSizes(t *testing.T) {
	p := two()
	if err := p.Check(); err != nil {
		t.Fatal(err)
	}
	if h, w := p.OutSize(9, 6); h != 5 || w != 3 || p.OutLen(9, 6) != 5 {
		t.Errorf("%d x %d, %d values", h, w, p.OutLen(9, 6))
	}
	part := p.Block(1)
	if part.OutLen(9, 6) != 4*9*6 || part.InChannels != 4 || part.Check() != nil {
		t.Errorf("block 1 alone gives %d values", part.OutLen(9, 6))
	}
	if len(p.Variances()) != 5 || !p.Variances()["b.id.running_var"] {
		t.Errorf("variances %v", p.Variances())
	}
	if p.As(Deploy).Form.String() != "deploy" || p.Form.String() != "train" {
		t.Error("forms are not what they are called")
	}
}

// TestConvSizes includes a kernel that is larger than the padded input.
func TestConvSizes(t *testing.T) {
	c := Conv{In: 1, Out: 1, KernelH: 5, KernelW: 3, Stride: 2, PadW: 1, Dilation: 2, Groups: 1}
	if h, w := c.OutSize(8, 8); h != 0 || w != 3 {
		t.Errorf("%d x %d, want 0 x 3", h, w)
	}
	if p := (Conv{In: 2, Out: 2, KernelH: 3, KernelW: 3, Stride: 2, PadH: 4, PadW: 4, Dilation: 4, Groups: 2}).Pointwise(); p != (Conv{In: 2, Out: 2, KernelH: 1, KernelW: 1, Stride: 2, Dilation: 1, Groups: 2}) {
		t.Errorf("the pointwise convolution is %+v", p)
	}
}

func TestTensors(t *testing.T) {
	names := func(specs []tensor.Spec) (all []string) {
		for _, s := range specs {
			all = append(all, s.Name)
		}
		return all
	}
	want := []string{"a.w", "a.b", "b.r.w", "b.r.b", "b.e.w", "b.e.b", "b.w", "b.b", "h.w", "h.b"}
	if got := names(two().As(Deploy).Tensors()); !slices.Equal(got, want) {
		t.Errorf("deploy form: %q", got)
	}
	train := names(two().Tensors())
	if len(train) != 10+4+14+2 || train[0] != "a.x.w" || train[4] != "a.x.bn.running_var" {
		t.Errorf("train form: %q", train)
	}
	for _, c := range []struct {
		names []string
		form  Form
		ok    bool
	}{{train, Train, true}, {want, Deploy, true}, {[]string{"h.w"}, Train, false}, {[]string{"a.w", "b.id.bias"}, Deploy, false}} {
		if form, ok := two().FormOf(c.names); ok != c.ok || ok && form != c.form {
			t.Errorf("%q: %v, %v", c.names, form, ok)
		}
	}
	if !IsCounter("b.id.num_batches_tracked") || IsCounter("b.id.bias") {
		t.Error("counters are not distinguished from other tensors")
	}
}

// TestCheckRefuses checks plans that can't be computed.
func TestCheckRefuses(t *testing.T) {
	for _, c := range []struct {
		change func(p *Plan)
		want   string
	}{
		{func(p *Plan) { p.Depth = 3 }, "want 1 to 2 blocks"},
		{func(p *Plan) { p.InChannels = 0 }, "at least one input channel"},
		{func(p *Plan) { p.Blocks[1].In = 7 }, `block "b": it takes 7 channels, but there are 4`},
		{func(p *Plan) { p.Blocks[1].Groups = 3 }, "3 groups do not divide"},
		{func(p *Plan) { p.Blocks[1].PadW = -1 }, "a padding of at least 0"},
		{func(p *Plan) { p.Blocks[1].SE.Channels = 0 }, "with 0 channels"},
		{func(p *Plan) { p.Blocks[0].Branches = nil }, "no branches"},
		{func(p *Plan) { p.Blocks[0].Branches = append(p.Blocks[0].Branches, Branch{Name: "id"}) }, `branch "id": an identity branch needs equal channels and stride 1`},
		{func(p *Plan) { p.Blocks[1].Branches[0].Conv.Stride = 2 }, "is not aligned"},
		{func(p *Plan) { p.Blocks[1].Branches[0].Conv.Dilation = 3 }, "its dilation is 3, but the block's is 2"},
		{func(p *Plan) { p.Blocks[1].Branches[0].Conv.KernelW = 2 }, "does not fit into the centre"},
		{func(p *Plan) { p.Blocks[1].Branches[1].Conv.KernelH = 5 }, "a 5x1 kernel does not fit"},
		{func(p *Plan) { p.Blocks[1].Branches[0].Conv.Out = 0 }, "positive sizes"},
		{func(p *Plan) {
			p.Blocks[1].PadH, p.Blocks[1].Branches = 1, p.Blocks[1].Branches[2:]
		}, "a padding that keeps the size"},
		{func(p *Plan) { p.Head.Features = 9 }, "takes 9 features"},
	} {
		p := two()
		c.change(p)
		if err := p.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

// TestCount compares the costs of the small network with figures computed by hand,
// for an image of 9 x 6.
func TestCount(t *testing.T) {
	const pixels = 5 * 3
	se := Cost{Params: 2*4*2 + 2 + 4, FLOPs: 4*pixels + 2*4*2 + 2 + 4 + 2, MACs: 2 * 4 * 2}
	relu := Cost{FLOPs: 4 * pixels}
	conv := func(weights int64) Cost {
		return Cost{Params: weights, FLOPs: weights * pixels, MACs: weights * pixels}
	}
	norm := Cost{Params: 8, FLOPs: 8 * pixels}
	bias := Cost{Params: 4, FLOPs: 4 * pixels}
	want := map[Form][2]Cost{
		Train:  {conv(108).Plus(norm).Plus(conv(12)).Plus(norm).Plus(relu), conv(72).Plus(norm).Plus(conv(8)).Plus(norm).Plus(norm).Plus(se).Plus(relu)},
		Deploy: {conv(108).Plus(bias).Plus(relu), conv(72).Plus(bias).Plus(se).Plus(relu)},
	}
	for form, blocks := range want {
		p := two().As(form)
		c, err := p.Count(9, 6)
		if err != nil {
			t.Fatal(err)
		}
		for i := range blocks {
			if got := c.Blocks[i].Total(); got != blocks[i] {
				t.Errorf("%v form: block %d costs %+v, want %+v", form, i, got, blocks[i])
			}
		}
		total := blocks[0].Plus(blocks[1]).Plus(Cost{FLOPs: 4 * pixels}).Plus(Cost{Params: 5 * 5})
		if c.Total != total || p.Params() != total.Params {
			t.Errorf("%v form: %+v in all, %d parameters, want %+v", form, c.Total, p.Params(), total)
		}
		if n, err := p.FLOPs(9, 6); err != nil || n != total.FLOPs {
			t.Errorf("%v form: %d FLOPs, %v", form, n, err)
		}
	}
	p := two()
	for _, size := range [][2]int{{0, 1}, {1, MaxSide + 1}} {
		if _, err := p.FLOPs(size[0], size[1]); err == nil {
			t.Errorf("a size of %v is counted", size)
		}
	}
	p.Blocks[0].Branches[0].Bias, p.Blocks[0].Activation, p.Head = "a.x.b", NoActivation, nil
	c, err := p.Count(9, 6)
	if err != nil || c.Blocks[0].Total() != conv(108).Plus(bias).Plus(norm).Plus(conv(12)).Plus(norm) || c.Pool != (Cost{}) {
		t.Errorf("with a bias, without an activation: %+v, %v", c.Blocks[0], err)
	}
}

// TestFoldFails checks that the error names the block or tensor that does not fold.
func TestFoldFails(t *testing.T) {
	p := two()
	for name, c := range map[string]struct {
		change func(v tensor.Map)
		want   string
	}{
		"overflow": {func(v tensor.Map) {
			v["b.id.weight"][1], v["b.id.running_var"][1] = math.MaxFloat32, 0
		}, `folding block "b": the folded weight of channel 1 is not finite`},
		"variance": {func(v tensor.Map) { v["b.x.bn.running_var"][2] = -1 }, "b.x.bn.running_var of channel 2 is -1"},
		"missing":  {func(v tensor.Map) { delete(v, "b.id.bias") }, `there is no tensor "b.id.bias"`},
		"weight":   {func(v tensor.Map) { delete(v, "b.y.w") }, `there is no tensor "b.y.w"`},
		"first":    {func(v tensor.Map) { delete(v, "b.x.w") }, `there is no tensor "b.x.w"`},
	} {
		values := make(tensor.Map)
		for _, s := range p.Tensors() {
			values[s.Name] = slices.Repeat([]float32{1}, s.Numel())
		}
		c.change(values)
		_, err := tensor.Load(Fold(p, values), p.Blocks[1].WeightSpec())
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
		if _, ok := errors.AsType[*FoldError](err); ok != (name == "overflow") {
			t.Errorf("%s: %T", name, err)
		}
		failed := false
		for i := range p.Blocks[1].Branches {
			f, err := p.Blocks[1].Fold(i, values)
			if err == nil && !f.Identity() {
				_, err = tensor.Load(f, f.WeightSpec())
			}
			failed = failed || err != nil
		}
		if failed != (name != "overflow") {
			t.Errorf("%s: the branches' own folding fails: %v", name, failed)
		}
	}
}

// TestFoldPassesThrough checks that tensors that are not folded, and all tensors of
// a deploy form, come from the source.
func TestFoldPassesThrough(t *testing.T) {
	p, values := two(), tensor.Map{"h.w": slices.Repeat([]float32{3}, 20), "a.w": slices.Repeat([]float32{4}, 108)}
	if got, err := tensor.Load(Fold(p, values), p.HeadTensors()[0]); err != nil || got[19] != 3 {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := tensor.Load(Fold(p.As(Deploy), values), p.Blocks[0].WeightSpec()); err != nil || got[107] != 4 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestKeyMap(t *testing.T) {
	k := &KeyMap{Rules: []Rule{{"net.{}.{1}.conv", "s{1}_{}.c"}, {"stem", "first"}}, Common: []Rule{{"head", "head"}}}
	for _, c := range [][2]string{{"net.0.1.conv.weight", "s1_0.c.weight"}, {"net.12.3.conv.bias", "s13_2.c.bias"}, {"stem.x", "first.x"}, {"head.weight", "head.weight"}} {
		if got, ok := k.ToFile(c[0]); got != c[1] || !ok {
			t.Errorf("%s becomes %s", c[0], got)
		}
		if got, ok := k.ToPlan(c[1]); got != c[0] || !ok {
			t.Errorf("%s becomes %s", c[1], got)
		}
		if k.Owns(c[1]) != (c[0] != "head.weight") {
			t.Errorf("%s: owned %v", c[1], k.Owns(c[1]))
		}
	}
	for _, name := range []string{"", "weight", "s0_0.c.weight", "s01_0.c.weight", "s1_.c.weight", "s1_0.c", "s1_0.c.d.weight", "xfirst.x"} {
		if got, ok := k.ToPlan(name); ok || got != name {
			t.Errorf("%q becomes %q", name, got)
		}
	}
	specs := k.Specs([]tensor.Spec{{Name: "stem.w"}, {Name: "other.w"}})
	if specs[0].Name != "first.w" || specs[1].Name != "other.w" {
		t.Errorf("%v", specs)
	}
}
