package gpu

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repvgg/internal/gpu/cuda"
	"repvgg/internal/model"
	"repvgg/internal/tensor"
	"repvgg/internal/testkit"
)

// hostRun computes an image from the packed weights, in the layouts of the device:
// N, H, W, C with padded channels. It shows that packing, padding and folding are
// right; the convolutions and the kernels have their own tests.
func hostRun(t *testing.T, plan *model.Plan, values tensor.Map, size int, image []float32, h, w int) []float64 {
	t.Helper()
	p := &packer{plan: plan, weights: values, widths: channelWidths(plan, size)}
	x := make([]float64, h*w*p.widths[0])
	for i, v := range image {
		c, at := i/(h*w), i%(h*w)
		x[at*p.widths[0]+c] = float64(v)
	}
	for i := range plan.Depth {
		l, err := p.layer(i)
		if err != nil {
			t.Fatal(err)
		}
		y := hostConvolve(shapeOf(l.main.shape, 1, h, w, l.in, l.out), l.main, x)
		if l.side.weight != nil {
			side := hostConvolve(shapeOf(l.side.shape, 1, h, w, l.in, l.out), l.side, x)
			for k := range y {
				y[k] += side[k]
				if l.scale != nil {
					y[k] += float64(l.scale[k%l.out]) * x[k]
				}
			}
		}
		if l.reduce.weight != nil {
			s := hostLinear(l.reduce, hostMeans(y, l.out))
			for k := range s {
				s[k] = max(s[k], 0)
			}
			gates := hostLinear(l.expand, s)
			for k := range y {
				y[k] /= 1 + math.Exp(-gates[k%l.out])
			}
		}
		for k := range y {
			y[k] = max(y[k], 0)
			if k%l.out >= l.Out && y[k] != 0 {
				t.Fatalf("block %d: padded channel %d is %v", i, k%l.out, y[k])
			}
		}
		x = y
		h, w = l.OutSize(h, w)
	}
	channels := p.widths[plan.Depth]
	if plan.Head != nil {
		head, err := p.head()
		if err != nil {
			t.Fatal(err)
		}
		return hostLinear(head, hostMeans(x, channels))
	}
	own := plan.Blocks[plan.Depth-1].Out
	out := make([]float64, own*h*w)
	for i := range out {
		out[i] = x[i%(h*w)*channels+i/(h*w)]
	}
	return out
}

func hostConvolve(s cuda.ConvShape, c hostConv, x []float64) []float64 {
	p, q := s.Out()
	per := s.C / s.Groups
	y := make([]float64, p*q*s.K)
	for i := range y {
		k, col, row := i%s.K, i/s.K%q, i/s.K/q
		y[i] = float64(c.bias[k])
		for t := range s.R * s.R {
			r, v := row*s.Stride-s.Pad+t/s.R*s.Dilation, col*s.Stride-s.Pad+t%s.R*s.Dilation
			if r < 0 || r >= s.H || v < 0 || v >= s.W {
				continue
			}
			for j := range per {
				y[i] += x[(r*s.W+v)*s.C+k/(s.K/s.Groups)*per+j] * float64(c.weight[(k*s.R*s.R+t)*per+j])
			}
		}
	}
	return y
}

func hostLinear(c hostConv, x []float64) []float64 {
	y := make([]float64, len(c.bias))
	for i := range y {
		y[i] = float64(c.bias[i])
		for j, v := range x {
			y[i] += float64(c.weight[i*len(x)+j]) * v
		}
	}
	return y
}

func hostMeans(x []float64, channels int) []float64 {
	m := make([]float64, channels)
	for i, v := range x {
		m[i%channels] += v / float64(len(x)/channels)
	}
	return m
}

func TestPacking(t *testing.T) {
	const tolerance = 2e-6 // weights are rounded once to float32
	for _, form := range []model.Form{model.Train, model.Deploy} {
		for name, plan := range testkit.Plans(form) {
			for _, size := range []int{2, 4} {
				t.Run(fmt.Sprintf("%v/%s/%d", form, name, size), func(t *testing.T) {
					const h, w = 11, 14
					values := testkit.Weights(plan, 1)
					image := testkit.Images(plan.InChannels*h*w, 7)
					want := testkit.Network{Plan: plan, Values: values}.Image(image, h, w)
					got := hostRun(t, plan, values, size, image, h, w)
					if len(got) != len(want) {
						t.Fatalf("%d results, want %d", len(got), len(want))
					}
					scale := 0.0
					for _, v := range want {
						scale = max(scale, math.Abs(v))
					}
					for i, v := range want {
						if !(math.Abs(got[i]-v) <= tolerance*scale) {
							t.Fatalf("result %d is %v, want %v (largest %v)", i, got[i], v, scale)
						}
					}
				})
			}
		}
	}
}

func TestChannelWidths(t *testing.T) {
	for name, want := range map[string][]int{
		"plain":  {8, 8, 8, 16, 40},       // 3 and 10 are padded
		"groups": {8, 12, 12, 24, 24, 16}, // 12 is next to groups
	} {
		if got := channelWidths(testkit.Plans(model.Deploy)[name], 2); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	if got := channelWidths(testkit.Plans(model.Deploy)["plain"], 4); !slices.Equal(got, []int{4, 8, 8, 12, 40}) {
		t.Errorf("of float32: %v", got)
	}
}

func TestArenas(t *testing.T) {
	p := testkit.Plan(model.Train, 5, testkit.Block(3, 8, 2, 1, 1, 0), testkit.Block(8, 8, 1, 1, 1, 0), testkit.Block(8, 64, 2, 1, 1, 0))
	got, fit, err := arenaSizes(p, channelWidths(p, 2), 10, 7, 9, 2)
	if err != nil || fit != 10 {
		t.Fatal(fit, err)
	}
	// Images 7x9 of 8 channels; 4x5 of 8, twice; 2x3 of 64.
	want := arenas{Images: 10 * 7 * 9 * 8 * 2, Maps: [2]int64{10 * 4 * 5 * 8 * 2, 10 * 2 * 3 * 64 * 2}, Side: 10 * 2 * 3 * 64 * 2}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got, _, _ = arenaSizes(p.As(model.Deploy), channelWidths(p, 2), 1, 7, 9, 4); got.Side != 0 {
		t.Errorf("the deploy form has no branches, but %d bytes for them", got.Side)
	}
	// 4096 x 4096 x 8 are 2^27 values: 16 images would be 2^31.
	if _, fit, err = arenaSizes(p, channelWidths(p, 2), 100, 4096, 4096, 2); err != nil || fit != 15 {
		t.Errorf("fit %d, %v, want 15", fit, err)
	}
	if _, _, err = arenaSizes(p, channelWidths(p, 2), 1, 1<<16, 1<<16, 2); err == nil || !strings.Contains(err.Error(), "use smaller images") {
		t.Errorf("got %v", err)
	}
}

func TestGrids(t *testing.T) {
	for _, n := range []int64{1, 255, 256, 257, 1 << 40} {
		g := elements(n)
		if g.Blocks[0] < 1 || g.Blocks[0] > maxElementBlocks || n < 1<<20 && int64(g.Blocks[0])*elementThreads < n {
			t.Errorf("%d items: %v", n, g)
		}
	}
	if g := pooling(5, 257, 8); g.Blocks != [3]uint32{2, 5, 1} {
		t.Errorf("%v", g)
	}
	if k, g := linearOf(9, 17); k != linearRow || g.Blocks != [3]uint32{3, 2, 1} {
		t.Errorf("%s %v", kernelNames[k], g)
	}
	if k, g := linearOf(128, 1000); k != linearRows || g.Blocks != [3]uint32{32, 16, 1} {
		t.Errorf("%s %v", kernelNames[k], g)
	}
}

func TestOptions(t *testing.T) {
	plan := testkit.Plans(model.Deploy)["plain"]
	broken := func(change func(p *model.Plan)) *model.Plan {
		p := testkit.Plans(model.Deploy)["plain"]
		change(p)
		return p
	}
	for _, c := range []struct {
		plan *model.Plan
		opts Options
		want string
	}{
		{plan, Options{}, ""}, {plan, Options{GPU: -1}, "want a GPU from 0"},
		{plan, Options{Table: make([]float32, 256)}, "256 values for each of 3 channels"}, {plan, Options{Precision: 77}, "unknown precision 77"},
		{broken(func(p *model.Plan) { p.Blocks[2].In = 7 }), Options{}, "it takes 7 channels, but there are 8"},
		{broken(func(p *model.Plan) { p.Blocks[2].Groups = 3 }), Options{}, "3 groups do not divide"},
		{broken(func(p *model.Plan) { p.Blocks[2].Stride = 0 }), Options{}, "positive"},
		{broken(func(p *model.Plan) {
			p.Form = model.Train
			p.Blocks[0].Branches = append(p.Blocks[0].Branches, model.Branch{})
		}), Options{}, "identity branch"},
		{broken(func(p *model.Plan) { p.Form = model.Train; p.Blocks[0].Branches = p.Blocks[0].Branches[:0] }), Options{}, "no branches"},
		{broken(func(p *model.Plan) {
			p.Form = model.Train
			p.Blocks[1].Branches = append(p.Blocks[1].Branches, p.Blocks[1].Branches[0])
		}), Options{}, "run its deploy form"},
		{broken(func(p *model.Plan) { p.Blocks[1].Conv = p.Blocks[1].Kernel(1, 3) }), Options{}, "no 1x3 convolution"},
		{broken(func(p *model.Plan) { p.Blocks[1].Activation = model.NoActivation }), Options{}, "end in ReLU"},
		{broken(func(p *model.Plan) { p.Depth = 9 }), Options{}, "want 1 to 4 blocks"},
		{broken(func(p *model.Plan) { p.Head.Features = 2 }), Options{}, "checking the head"},
	} {
		err := c.opts.check(c.plan)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

func TestPackingRefusesBadStatistics(t *testing.T) {
	plan := testkit.Plans(model.Train)["plain"]
	values := testkit.Weights(plan, 1)
	name := plan.Blocks[1].Branches[1].Norm.Var()
	values[name][3] = -1
	p := &packer{plan: plan, weights: values, widths: channelWidths(plan, 2)}
	if _, err := p.layer(1); err == nil || !strings.Contains(err.Error(), name+" of channel 3 is -1") || !strings.Contains(err.Error(), `"backbone.stage_1.1"`) {
		t.Errorf("got %v", err)
	}
	values[name] = values[name][:2]
	if _, err := p.layer(1); err == nil || !strings.Contains(err.Error(), "has 2 values, want shape (8,)") {
		t.Errorf("got %v", err)
	}
}
