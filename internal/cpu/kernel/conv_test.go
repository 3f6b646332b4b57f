package kernel

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"repvgg/internal/model"
	"repvgg/internal/tensor"
	"repvgg/internal/testkit"
)

// directTolerance bounds the error of a sum of products relative to the sum of
// their absolute values.
const directTolerance = 1e-6

// winogradTolerance is as directTolerance for F(m, 3), relative to the largest
// such sum of the map: the outputs of a tile share its error.
var winogradTolerance = map[int]float64{2: 1e-6, 4: 4e-6, 5: 8e-6}

// problem is a convolution with its input and what is to come out.
type problem struct {
	model.Conv
	n, h, w, oh, ow                 int
	weight, bias                    []float32
	weight64, bias64, values        []float64
	sums, noBias, magnitude, levels []float64
}

// newProblem makes a problem of random values; nil if there is no output.
func newProblem(s model.Conv, n, h, w int, seed uint64) *problem {
	p := &problem{Conv: s, n: n, h: h, w: w}
	if p.oh, p.ow = s.OutSize(h, w); p.oh < 1 || p.ow < 1 {
		return nil
	}
	rng := rand.New(rand.NewPCG(seed, 1))
	p.weight, p.weight64 = randomFloats(rng, tensor.Numel(s.WeightShape()), 1)
	p.bias, p.bias64 = randomFloats(rng, s.Out, 1)
	_, p.values = randomFloats(rng, n*s.In*h*w, 1)
	p.solve()
	return p
}

// solve computes what is to come out.
func (p *problem) solve() {
	p.sums, p.magnitude = convolved(p.Conv, p.weight64, p.bias64, p.values, p.n, p.h, p.w, false)
	p.noBias = nil
	largest := 0.0
	for i, v := range p.sums {
		p.noBias = append(p.noBias, v-p.bias64[i/(p.oh*p.ow)%p.Out])
		largest = max(largest, p.magnitude[i])
	}
	p.levels = make([]float64, len(p.sums))
	for i := range p.levels {
		p.levels[i] = largest
	}
}

// rounded is the problem that a bf16 convolution computes exactly but for the
// sums' rounding.
func (p *problem) rounded() *problem {
	q := *p
	round := func(x []float64) []float64 {
		y := make([]float64, len(x))
		for i, v := range x {
			y[i] = exactBF16(v)
		}
		return y
	}
	q.weight64, q.values = round(p.weight64), round(p.values)
	q.solve()
	return &q
}

// epilogue is one with the problem's bias.
func (p *problem) epilogue(add, relu bool) Epilogue {
	return Epilogue{Bias: PadChannels(p.bias), Add: add, ReLU: relu}
}

// want is the result; with Add that of two runs, the second without the bias.
func (p *problem) want(ep Epilogue) []float64 {
	want := append([]float64(nil), p.sums...)
	for i := range want {
		if ep.Add {
			want[i] += p.noBias[i]
		}
		if ep.ReLU {
			want[i] = testkit.ReLU(want[i])
		}
	}
	return want
}

// source is the input in a format, with the halo that a convolution asks for.
func (p *problem) source(in Format, halo func(h, w int) Halo) *Maps {
	l := layoutOf(p.In, p.h, p.w, halo)
	l.Format = in
	src := newMaps(l, p.n)
	place(src, p.values)
	return src
}

// direct checks Conv and returns its largest error relative to the magnitudes.
func (p *problem) direct(t *testing.T, v *Variant, planar bool, ep Epilogue, shares int) float64 {
	t.Helper()
	c := packed(v.NewConv(p.Conv, Format{Planar: planar}))(t, p.weight)
	src := p.source(c.in, c.Halo)
	dst, all := guarded(layoutOf(p.Out, p.oh, p.ow, oddHalo), p.n)
	var scratch Scratch
	for i := range shares {
		share := Share{i, shares, &scratch}
		if ep.Add {
			c.Run(dst, src, p.n, p.epilogue(false, false), share)
		}
		c.Run(dst, src, p.n, ep, share)
	}
	return checkMaps(t, dst, all, p.want(ep), p.magnitude, p.n, directTolerance)
}

// bf16 checks Conv with BFloat16; p is rounded.
func (p *problem) bf16(t *testing.T, v *Variant, relu bool, shares int) {
	t.Helper()
	c := packed(v.NewConv(p.Conv, Format{Elem: BFloat16}))(t, p.weight)
	src := p.input(v, c)
	dst, all := guarded(layoutOf(p.Out, p.oh, p.ow, oddHalo), p.n)
	var scratch Scratch
	ep := p.epilogue(false, relu)
	for i := range shares {
		c.Run(dst, src, p.n, ep, Share{i, shares, &scratch})
	}
	checkMaps(t, dst, all, p.want(ep), p.magnitude, p.n, directTolerance)
}

// winograd checks Winograd and returns its largest error relative to the
// largest magnitude.
func (p *problem) winograd(t *testing.T, v *Variant, m int, relu bool, shares int) float64 {
	t.Helper()
	return p.winogradIn(t, v, m, Float32, relu, shares, winogradTolerance[m])
}

// winogradIn is winograd with products of an element type.
func (p *problem) winogradIn(t *testing.T, v *Variant, m int, elem Elem, relu bool, shares int, tolerance float64) float64 {
	t.Helper()
	c := packed(v.NewWinograd(p.Conv, m, elem))(t, p.weight)
	src := p.source(Format{}, c.Halo)
	dst, all := guarded(layoutOf(p.Out, p.oh, p.ow, oddHalo), p.n)
	var scratch Scratch
	ep := p.epilogue(false, relu)
	for i := range shares {
		c.Run(dst, src, p.n, ep, Share{i, shares, &scratch})
	}
	return checkMaps(t, dst, all, p.want(ep), p.levels, p.n, tolerance)
}

// Every height and every width up to 40.
func TestConvSizes(t *testing.T) {
	for _, c := range []struct {
		name   string
		planar bool
		s      model.Conv
	}{
		{"stem", true, model.Conv{In: 3, Out: 20, KernelH: 3, KernelW: 3, Stride: 2, PadH: 1, PadW: 1, Dilation: 1, Groups: 1}},
		{"planar", true, model.Conv{In: 2, Out: 17, KernelH: 3, KernelW: 3, Stride: 1, PadH: 1, PadW: 1, Dilation: 1, Groups: 1}},
		{"planar, dilated, groups", true, model.Conv{In: 6, Out: 4, KernelH: 3, KernelW: 3, Stride: 1, PadH: 2, PadW: 2, Dilation: 2, Groups: 2}},
		{"ragged", false, model.Conv{In: 5, Out: 7, KernelH: 3, KernelW: 3, Stride: 1, PadH: 1, PadW: 1, Dilation: 1, Groups: 1}},
		{"stride 2", false, model.Conv{In: 18, Out: 17, KernelH: 3, KernelW: 3, Stride: 2, PadH: 1, PadW: 1, Dilation: 1, Groups: 1}},
		{"dilated", false, model.Conv{In: 5, Out: 7, KernelH: 3, KernelW: 3, Stride: 1, PadH: 2, PadW: 2, Dilation: 2, Groups: 1}},
		{"dilated, stride 2, groups", false, model.Conv{In: 6, Out: 9, KernelH: 3, KernelW: 3, Stride: 2, PadH: 3, PadW: 3, Dilation: 3, Groups: 3}},
		{"groups", false, model.Conv{In: 12, Out: 20, KernelH: 3, KernelW: 3, Stride: 1, PadH: 1, PadW: 1, Dilation: 1, Groups: 2}},
		{"groups across cells", false, model.Conv{In: 18, Out: 24, KernelH: 3, KernelW: 3, Stride: 2, PadH: 1, PadW: 1, Dilation: 1, Groups: 3}},
		{"depthwise", false, model.Conv{In: 18, Out: 18, KernelH: 3, KernelW: 3, Stride: 1, PadH: 1, PadW: 1, Dilation: 1, Groups: 18}},
		{"depthwise, stride 2", false, model.Conv{In: 18, Out: 36, KernelH: 3, KernelW: 3, Stride: 2, PadH: 1, PadW: 1, Dilation: 1, Groups: 18}},
		{"1x1", false, model.Conv{In: 17, Out: 33, KernelH: 1, KernelW: 1, Stride: 1, Dilation: 1, Groups: 1}},
		{"1x1, stride 2, groups", false, model.Conv{In: 12, Out: 20, KernelH: 1, KernelW: 1, Stride: 2, Dilation: 1, Groups: 4}},
		{"1x3", false, model.Conv{In: 18, Out: 20, KernelH: 1, KernelW: 3, Stride: 1, PadW: 1, Dilation: 1, Groups: 1}},
		{"3x1, stride 2", false, model.Conv{In: 18, Out: 20, KernelH: 3, KernelW: 1, Stride: 2, PadH: 1, Dilation: 1, Groups: 2}},
		{"5x3, planar", true, model.Conv{In: 3, Out: 20, KernelH: 5, KernelW: 3, Stride: 1, PadH: 2, PadW: 1, Dilation: 1, Groups: 1}},
		{"5x5, no padding", false, model.Conv{In: 3, Out: 5, KernelH: 5, KernelW: 5, Stride: 3, Dilation: 1, Groups: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			worst := 0.0
			for i, size := range mapSizes() {
				p := newProblem(c.s, 1+i%7/6, size[0], size[1], uint64(i))
				if p == nil {
					continue
				}
				for _, v := range Variants() {
					worst = max(worst, p.direct(t, v, c.planar, p.epilogue(i&1 != 0, i&2 != 0), 1+i%4))
				}
			}
			t.Logf("largest error: %.2g of the sum of absolute products", worst)
		})
	}
}

// Many channels, for all numbers of panels of a register tile, both ways to
// divide the work, and all epilogues.
func TestConvShapes(t *testing.T) {
	for i, s := range []model.Conv{
		{In: 16, Out: 32, KernelH: 3, KernelW: 3, Stride: 1, PadH: 1, PadW: 1, Dilation: 1, Groups: 1},
		{In: 3, Out: 48, KernelH: 3, KernelW: 3, Stride: 2, PadH: 1, PadW: 1, Dilation: 1, Groups: 1},
		{In: 40, Out: 72, KernelH: 3, KernelW: 3, Stride: 2, PadH: 1, PadW: 1, Dilation: 1, Groups: 1},
		{In: 80, Out: 80, KernelH: 3, KernelW: 3, Stride: 1, PadH: 1, PadW: 1, Dilation: 1, Groups: 2},
		{In: 20, Out: 140, KernelH: 3, KernelW: 3, Stride: 2, PadH: 2, PadW: 2, Dilation: 2, Groups: 4},
		{In: 33, Out: 65, KernelH: 1, KernelW: 1, Stride: 1, Dilation: 1, Groups: 1},
		{In: 32, Out: 112, KernelH: 1, KernelW: 1, Stride: 2, Dilation: 1, Groups: 2},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			for j, size := range [][2]int{{1, 1}, {2, 5}, {7, 7}, {5, 16}, {3, 29}, {2, 61}} {
				p := newProblem(s, 2, size[0], size[1], uint64(j))
				for _, v := range Variants() {
					for flags := range 4 {
						ep := p.epilogue(flags&1 != 0, flags&2 != 0)
						p.direct(t, v, false, ep, 1+(i+flags)%4)
						p.direct(t, v, true, ep, 1+(i+flags)%4)
					}
				}
			}
		})
	}
}

func TestWinogradSizes(t *testing.T) {
	for _, c := range []struct {
		name            string
		in, out, groups int
	}{
		{"ragged", 5, 7, 1}, {"two blocks", 17, 18, 1}, {"groups", 12, 20, 2}, {"groups across cells", 18, 24, 3}, {"depthwise", 18, 18, 18},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := model.Conv{In: c.in, Out: c.out, KernelH: 3, KernelW: 3, Stride: 1, PadH: 1, PadW: 1, Dilation: 1, Groups: c.groups}
			worst := map[int]float64{}
			for i, size := range mapSizes() {
				p := newProblem(s, 1+i%7/6, size[0], size[1], uint64(i))
				for _, v := range Variants() {
					for m := range v.transforms {
						worst[m] = max(worst[m], p.winograd(t, v, m, i&1 != 0, 1+i%4))
					}
				}
			}
			for m, w := range worst {
				t.Logf("F(%d): largest error %.2g of the largest sum of absolute products", m, w)
			}
		})
	}
}

// Many channels: several panels at once, more tiles than a chunk, and weights
// that the workers divide.
func TestWinogradShapes(t *testing.T) {
	for i, c := range []struct{ in, out, groups, n, h, w int }{
		{16, 16, 1, 3, 20, 23}, {48, 96, 1, 2, 14, 14}, {80, 80, 2, 2, 7, 7}, {20, 300, 1, 1, 11, 9}, {160, 240, 1, 1, 7, 2}, {96, 48, 3, 1, 3, 40},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			s := model.Conv{In: c.in, Out: c.out, KernelH: 3, KernelW: 3, Stride: 1, PadH: 1, PadW: 1, Dilation: 1, Groups: c.groups}
			p := newProblem(s, c.n, c.h, c.w, uint64(i))
			for _, v := range Variants() {
				for m := range v.transforms {
					p.winograd(t, v, m, i&1 != 0, 1+i%4)
				}
			}
		})
	}
}

func TestBF16Sizes(t *testing.T) {
	v := bf16Variant(t)
	for _, c := range []struct {
		name string
		s    model.Conv
	}{
		{"ragged", model.Conv{In: 5, Out: 7, KernelH: 3, KernelW: 3, Stride: 1, PadH: 1, PadW: 1, Dilation: 1, Groups: 1}},
		{"stride 2", model.Conv{In: 18, Out: 17, KernelH: 3, KernelW: 3, Stride: 2, PadH: 1, PadW: 1, Dilation: 1, Groups: 1}},
		{"dilated", model.Conv{In: 5, Out: 7, KernelH: 3, KernelW: 3, Stride: 1, PadH: 2, PadW: 2, Dilation: 2, Groups: 1}},
		{"groups across cells", model.Conv{In: 36, Out: 18, KernelH: 3, KernelW: 3, Stride: 1, PadH: 1, PadW: 1, Dilation: 1, Groups: 6}},
		{"1x1", model.Conv{In: 34, Out: 33, KernelH: 1, KernelW: 1, Stride: 1, Dilation: 1, Groups: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			worst := 0.0
			for i, size := range mapSizes() {
				p := newProblem(c.s, 1+i%7/6, size[0], size[1], uint64(i))
				p.rounded().bf16(t, v, i&2 != 0, 1+i%4)
				if CanWinograd(c.s) {
					worst = max(worst, p.winogradIn(t, v, 2, BFloat16, i&1 != 0, 1+i%4, bf16WinogradTolerance))
				}
			}
			t.Logf("F(2), bf16: largest error %.2g of the largest sum of absolute products", worst)
		})
	}
}

func TestConvRefuses(t *testing.T) {
	good := model.Conv{In: 4, Out: 6, KernelH: 3, KernelW: 3, Stride: 1, PadH: 1, PadW: 1, Dilation: 1, Groups: 2}
	change := func(f func(*model.Conv)) model.Conv { s := good; f(&s); return s }
	v := Variants()[0]
	for _, c := range []struct {
		s    model.Conv
		want string
	}{
		{change(func(s *model.Conv) { s.In = 0 }), "want positive sizes"},
		{change(func(s *model.Conv) { s.PadH = -1 }), "want positive sizes"},
		{change(func(s *model.Conv) { s.Groups = 4 }), "4 groups do not divide"},
	} {
		if _, err := v.NewConv(c.s, Format{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want %q", c.s, err, c.want)
		}
		if _, err := v.NewWinograd(c.s, 4, Float32); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("F(4, 3), %+v: error %v, want %q", c.s, err, c.want)
		}
	}
	for _, s := range []model.Conv{
		change(func(s *model.Conv) { s.Stride = 2 }), change(func(s *model.Conv) { s.Dilation = 2 }), change(func(s *model.Conv) { s.PadW = 0 }),
		change(func(s *model.Conv) { s.KernelH = 1 }), change(func(s *model.Conv) { s.Groups = 3 }),
	} {
		if _, err := v.NewWinograd(s, 4, Float32); err == nil {
			t.Errorf("Winograd takes %+v", s)
		}
	}
	if _, err := v.NewWinograd(good, 3, Float32); err == nil || !strings.Contains(err.Error(), "not for F(3, 3)") {
		t.Errorf("F(3, 3): error %v", err)
	}
	plain, want := Variants()[len(Variants())-1], "no bf16 instructions in go"
	if _, err := plain.NewConv(good, Format{Elem: BFloat16}); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("bf16 in plain Go: error %v, want %q", err, want)
	}
	if _, err := plain.NewWinograd(good, 2, BFloat16); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("F(2, 3) in bf16 in plain Go: error %v, want %q", err, want)
	}
	if _, err := bf16Variant(t).NewWinograd(good, 4, BFloat16); err == nil || !strings.Contains(err.Error(), "not for F(4, 3) in bf16") {
		t.Errorf("F(4, 3) in bf16: error %v", err)
	}
}
