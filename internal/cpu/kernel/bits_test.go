package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"repvgg/internal/model"
	"repvgg/internal/tensor"
	"repvgg/internal/testkit"
)

// convolution is what Conv and Winograd have in common.
type convolution interface {
	Run(dst, src *Maps, n int, ep Epilogue, share Share)
	Halo(h, w int) Halo
	Panels() int
	Algorithm() string
}

// algorithms are all ways to compute a problem.
func (p *problem) algorithms(t *testing.T, v *Variant) []convolution {
	t.Helper()
	var all []convolution
	for elem := range elemCount {
		if !v.Has(elem) {
			continue
		}
		all = append(all, packed(v.NewConv(p.Conv, Format{Elem: elem}))(t, p.weight))
		for m, transforms := range v.transforms {
			if CanWinograd(p.Conv) && transforms.input[elem] != nil {
				all = append(all, packed(v.NewWinograd(p.Conv, m, elem))(t, p.weight))
			}
		}
	}
	return all
}

// input is the input as a convolution takes it.
func (p *problem) input(v *Variant, a convolution) *Maps {
	src := p.source(Format{}, a.Halo)
	if c, ok := a.(*Conv); ok && c.in.Elem == BFloat16 {
		src, _ = narrowed(v, src, p.n, nil)
	}
	return src
}

// outputs are maps for the results of a problem, and image i's part of them.
func (p *problem) outputs(n int) (dst *Maps, image func(i int) []float32) {
	dst = newMaps(layoutOf(p.Out, p.oh, p.ow, nil), n)
	return dst, func(i int) []float32 { return floats(imageOf(dst, i).data) }
}

// imageOf is maps of one image of several.
func imageOf(m *Maps, i int) *Maps {
	return &Maps{m.Layout, m.data[i*m.Bytes():][:m.Bytes()]}
}

// The bits of a result depend neither on how many images there are, nor on how
// the work is divided. The shapes have small maps with large weights, which are
// divided, and large maps with small weights.
func TestSameBits(t *testing.T) {
	for i, c := range []struct{ in, out, groups, stride, n, h, w int }{
		{20, 40, 1, 1, 5, 17, 13}, {48, 112, 1, 1, 3, 3, 4}, {64, 300, 1, 1, 4, 7, 7}, {36, 36, 3, 1, 3, 9, 22}, {18, 18, 18, 1, 2, 30, 31},
		{48, 64, 1, 2, 4, 15, 27}, {80, 160, 2, 2, 3, 4, 3}, {300, 300, 1, 1, 2, 4, 4},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			s := model.Conv{In: c.in, Out: c.out, KernelH: 3, KernelW: 3, Stride: c.stride, PadH: 1, PadW: 1, Dilation: 1, Groups: c.groups}
			p := &problem{Conv: s, n: c.n, h: c.h, w: c.w}
			p.oh, p.ow = s.OutSize(c.h, c.w)
			rng := rand.New(rand.NewPCG(uint64(i), 3))
			p.weight, _ = randomFloats(rng, tensor.Numel(s.WeightShape()), 1)
			p.bias, _ = randomFloats(rng, s.Out, 1)
			_, p.values = randomFloats(rng, c.n*c.in*c.h*c.w, 1)
			for _, v := range Variants() {
				for _, a := range p.algorithms(t, v) {
					p.sameBits(t, v, a, rng)
				}
			}
		})
	}
}

func (p *problem) sameBits(t *testing.T, v *Variant, a convolution, rng *rand.Rand) {
	t.Helper()
	src := p.input(v, a)
	want, wantImage := p.outputs(p.n)
	ep := p.epilogue(false, true)
	var scratch Scratch
	for i := range p.n {
		a.Run(imageOf(want, i), imageOf(src, i), 1, ep, Share{0, 1, &scratch})
	}
	check := func(what string, n int, run func(dst *Maps)) {
		t.Helper()
		dst, image := p.outputs(n)
		run(dst)
		for i := range n {
			if at := differ(image(i), wantImage(i)); at >= 0 {
				t.Fatalf("%v, %s, %s: value %d of image %d is %v, alone %v", v, a.Algorithm(), what, at, i, image(i)[at], wantImage(i)[at])
			}
		}
	}
	for n := 1; n <= p.n; n++ {
		for _, shares := range []int{1, 2, 3, 7} {
			check(fmt.Sprintf("%d images in %d shares", n, shares), n, func(dst *Maps) {
				for _, share := range rng.Perm(shares) {
					a.Run(dst, src, n, ep, Share{share, shares, &scratch})
				}
			})
		}
	}
	w, ok := a.(*Winograd)
	if !ok {
		return
	}
	tiles := p.n * w.tiles(p.h, p.w)
	check("random chunks", p.n, func(dst *Maps) {
		for from := 0; from < tiles; {
			to, split := min(tiles, from+1+rng.IntN(2*tileChunk)), rng.IntN(w.Panels()+1)
			for _, panels := range [][2]int{{0, split}, {split, w.Panels()}} {
				if panels[0] < panels[1] {
					chunk := winogradChunk{Winograd: w, dst: dst, src: src, ep: ep, scratch: &scratch, tile0: from, tile1: to, panel0: panels[0], panel1: panels[1]}
					chunk.compute()
				}
			}
			from = to
		}
	})
}

// What an image holds must not reach another, and ReLU must not hide a NaN that
// an output's definition has.
func TestNaNStaysInItsImage(t *testing.T) {
	for _, s := range []model.Conv{
		{In: 20, Out: 36, KernelH: 3, KernelW: 3, Stride: 1, PadH: 1, PadW: 1, Dilation: 1, Groups: 1},
		{In: 20, Out: 36, KernelH: 3, KernelW: 3, Stride: 2, PadH: 2, PadW: 2, Dilation: 2, Groups: 4},
	} {
		for _, size := range [][2]int{{1, 1}, {7, 7}, {10, 3}, {6, 23}} {
			p := newProblem(s, 3, size[0], size[1], 1)
			for _, v := range Variants() {
				for _, a := range p.algorithms(t, v) {
					p.isolated(t, v, a)
				}
			}
		}
	}
}

func (p *problem) isolated(t *testing.T, v *Variant, a convolution) {
	t.Helper()
	var scratch Scratch
	run := func(values []float64) (dst *Maps, image func(int) []float32) {
		q := *p
		q.values = values
		dst, image = p.outputs(p.n)
		a.Run(dst, q.input(v, a), p.n, p.epilogue(false, true), Share{0, 1, &scratch})
		return dst, image
	}
	want, wantImage := run(p.values)

	// The middle image: NaN in one pixel of one channel.
	bad := append([]float64(nil), p.values...)
	middle := bad[p.In*p.h*p.w:][:p.In*p.h*p.w]
	middle[len(middle)/2] = math.NaN()
	definition, _ := testkit.Conv{Conv: p.Conv}.Apply(p.weight64, p.bias64, middle, p.h, p.w)
	got, gotImage := run(bad)
	for _, i := range []int{0, 2} {
		if at := differ(gotImage(i), wantImage(i)); at >= 0 {
			t.Fatalf("%v, %s, %dx%d: a NaN in image 1 changes image %d", v, a.Algorithm(), p.h, p.w, i)
		}
	}
	result := imageOf(got, 1)
	for k, w := range definition {
		c, y, x := k/(p.oh*p.ow), k/p.ow%p.oh, k%p.ow
		if g := result.value(0, c, y, x); w != w && g == g {
			t.Fatalf("%v, %s, %dx%d: channel %d at %d, %d is %v, want NaN", v, a.Algorithm(), p.h, p.w, c, y, x, g)
		}
	}
	// It is gone with the image: nothing of it stays in the scratch memory.
	got, _ = run(p.values)
	if at := differ(floats(got.data), floats(want.data)); at >= 0 {
		t.Fatalf("%v, %s, %dx%d: value %d changes after a NaN", v, a.Algorithm(), p.h, p.w, at)
	}
}

// Between two bf16 convolutions maps stay bf16: the results of float32 maps,
// rounded, by a sum that may differ in its last bit.
func TestBF16Results(t *testing.T) {
	v := bf16Variant(t)
	for i, s := range []model.Conv{
		{In: 40, Out: 48, KernelH: 3, KernelW: 3, Stride: 1, PadH: 1, PadW: 1, Dilation: 1, Groups: 1},
		{In: 18, Out: 33, KernelH: 3, KernelW: 3, Stride: 2, PadH: 1, PadW: 1, Dilation: 1, Groups: 1},
		{In: 36, Out: 72, KernelH: 3, KernelW: 3, Stride: 1, PadH: 2, PadW: 2, Dilation: 2, Groups: 4},
		{In: 64, Out: 20, KernelH: 1, KernelW: 1, Stride: 1, Dilation: 1, Groups: 1},
	} {
		for j, size := range [][2]int{{1, 1}, {7, 7}, {3, 20}, {14, 13}, {5, 40}} {
			p := newProblem(s, 2, size[0], size[1], uint64(i*10+j)).rounded()
			c := packed(v.NewConv(s, Format{Elem: BFloat16}))(t, p.weight)
			src := p.input(v, c)
			var first []float32
			for shares := 1; shares <= 3; shares++ {
				l := layoutOf(p.Out, p.oh, p.ow, oddHalo)
				l.Elem = BFloat16
				dst, all := guarded(l, p.n)
				var scratch Scratch
				for share := range shares {
					c.Run(dst, src, p.n, p.epilogue(false, true), Share{share, shares, &scratch})
				}
				p.checkBF16(t, dst, all)
				if first == nil {
					first = all
				}
				if at := differ(all, first); at >= 0 {
					t.Fatalf("%+v, %v: %d shares change the word at %d", s, size, shares, at)
				}
			}
		}
	}
}

// checkBF16 holds bf16 maps against the reference and the guards round them.
func (p *problem) checkBF16(t *testing.T, dst *Maps, all []float32) {
	t.Helper()
	want := p.want(p.epilogue(false, true))
	written := make([]bool, len(all))
	for k, w := range want {
		i, c, y, x := k/(p.Out*p.oh*p.ow), k/(p.oh*p.ow)%p.Out, k/p.ow%p.oh, k%p.ow
		got := dst.value(i, c, y, x)
		if math.Abs(got-w) > math.Abs(w)/256+directTolerance*p.magnitude[k] {
			t.Fatalf("%+v, %dx%d: channel %d of image %d at %d, %d is %v, want %v", p.Conv, p.h, p.w, c, i, y, x, got, w)
		}
		for j := range Lanes {
			written[Lanes+dst.element(i, c, y, x)/(2*Lanes)*Lanes+j] = true
		}
	}
	for i, v := range all {
		if !written[i] && v != guard {
			t.Fatalf("%+v, %dx%d: word %d, outside of the output, is %v", p.Conv, p.h, p.w, i-Lanes, v)
		}
	}
}
