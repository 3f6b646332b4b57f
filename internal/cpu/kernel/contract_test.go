package kernel_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"repvgg/internal/cpu/kernel"
	"repvgg/internal/model"
	"repvgg/internal/testkit"
)

// What a caller does, with exported names only: a planar convolution and one of each
// kind behind it, on two images, in shares.
func TestUse(t *testing.T) {
	const n, h, w = 2, 13, 18
	rng := rand.New(rand.NewPCG(1, 9))
	random := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(rng.NormFloat64())
		}
		return x
	}
	stem := model.Conv{In: 3, Out: 20, KernelH: 3, KernelW: 3, Stride: 2, PadH: 1, PadW: 1, Dilation: 1, Groups: 1}
	next := model.Conv{In: 20, Out: 36, KernelH: 3, KernelW: 3, Stride: 1, PadH: 1, PadW: 1, Dilation: 1, Groups: 4}
	weights := [2][]float32{random(20 * 3 * 9), random(36 * 5 * 9)}
	biases := [2][]float32{random(20), random(36)}
	images := random(n * 3 * h * w)
	oh, ow := stem.OutSize(h, w)

	var want []float64
	for i := range n {
		x, _ := testkit.Conv{Conv: stem}.Apply(testkit.Widen(weights[0]), testkit.Widen(biases[0]), testkit.Widen(images[i*3*h*w:][:3*h*w]), h, w)
		for j, v := range x {
			x[j] = testkit.ReLU(v)
		}
		y, _ := testkit.Conv{Conv: next}.Apply(testkit.Widen(weights[1]), testkit.Widen(biases[1]), x, oh, ow)
		want = append(want, y...)
	}
	largest := 0.0
	for _, v := range want {
		largest = max(largest, math.Abs(v))
	}

	for _, v := range kernel.Variants() {
		for _, c := range []struct {
			m         int
			elem      kernel.Elem
			tolerance float64
		}{{0, kernel.Float32, 1e-6}, {4, kernel.Float32, 2e-6}, {0, kernel.BFloat16, 2e-2}, {2, kernel.BFloat16, 2e-2}} {
			if !v.Has(c.elem) {
				continue
			}
			t.Run(fmt.Sprintf("%v/%d/%v", v, c.m, c.elem), func(t *testing.T) {
				first, err := v.NewConv(stem, kernel.Format{Planar: true})
				if err != nil {
					t.Fatal(err)
				}
				var second convolution
				between := kernel.Layout{Channels: 20, H: oh, W: ow}
				if c.m == 0 {
					between.Elem = c.elem
					second, err = v.NewConv(next, between.Format)
				} else {
					second, err = v.NewWinograd(next, c.m, c.elem)
				}
				if err != nil {
					t.Fatal(err)
				}
				between.Halo = second.Halo(oh, ow)
				for i, conv := range []convolution{first, second} {
					for panel := range conv.Panels() {
						row := len(weights[i]) / conv.WeightShape()[0]
						conv.Pack(panel, weights[i][panel*kernel.Lanes*row:])
					}
				}
				src := kernel.NewMaps(kernel.Layout{Channels: 3, H: h, W: w, Halo: first.Halo(h, w), Format: kernel.Format{Planar: true}}, n)
				mid, dst := kernel.NewMaps(between, n), kernel.NewMaps(kernel.Layout{Channels: 36, H: oh, W: ow}, n)
				src.Load(images, n)
				const shares = 3
				var scratch [shares]kernel.Scratch
				for i := range shares {
					first.Run(&mid, &src, n, kernel.Epilogue{Bias: kernel.PadChannels(biases[0]), ReLU: true}, kernel.Share{I: i, N: shares, Scratch: &scratch[i]})
				}
				for i := range shares {
					second.Run(&dst, &mid, n, kernel.Epilogue{Bias: kernel.PadChannels(biases[1])}, kernel.Share{I: i, N: shares, Scratch: &scratch[i]})
				}
				got := make([]float32, len(want))
				dst.Store(got, n)
				for i, w := range want {
					if d := math.Abs(float64(got[i]) - w); !(d <= c.tolerance*largest) {
						t.Fatalf("value %d is %v, want %v", i, got[i], w)
					}
				}
			})
		}
	}
}

type convolution interface {
	Run(dst, src *kernel.Maps, n int, ep kernel.Epilogue, share kernel.Share)
	Halo(h, w int) kernel.Halo
	Panels() int
	Pack(panel int, rows []float32)
	WeightShape() []int
}

// What Load brings in, Store takes out, of all images or from one of them on.
func TestLoadStore(t *testing.T) {
	for _, format := range []kernel.Format{{}, {Planar: true}, {Elem: kernel.BFloat16}} {
		for _, channels := range []int{1, 3, 16, 33} {
			l := kernel.Layout{Channels: channels, H: 3, W: 5, Halo: kernel.Halo{Top: 1, Left: 2, Bottom: 3, Right: 4}, Format: format}
			const n = 3
			m := kernel.NewMaps(l, n)
			values := make([]float32, n*channels*l.H*l.W)
			for i := range values {
				values[i] = float32(1 + i%251) // exact in bfloat16
			}
			m.Load(values, n)
			last := m.From(n - 1)
			size := len(values) / n
			for _, c := range []struct {
				maps *kernel.Maps
				n    int
				want []float32
			}{{&m, n, values}, {&last, 1, values[(n-1)*size:]}} {
				got := make([]float32, len(c.want))
				c.maps.Store(got, c.n)
				for i, v := range c.want {
					if got[i] != v {
						t.Fatalf("%+v: value %d is %v, want %v", l, i, got[i], v)
					}
				}
			}
		}
	}
}

// Sizes of formats and layouts, by hand.
func TestSizes(t *testing.T) {
	halo := kernel.Halo{Top: 1, Left: 1, Bottom: 2, Right: 2}.Max(kernel.Halo{Top: 0, Left: 3, Bottom: 1, Right: 0})
	if halo != (kernel.Halo{Top: 1, Left: 3, Bottom: 2, Right: 2}) {
		t.Errorf("the larger halo is %+v", halo)
	}
	for _, c := range []struct {
		format        kernel.Format
		blocks, bytes int
	}{
		{kernel.Format{}, 3, 3 * 6 * 10 * 64}, {kernel.Format{Elem: kernel.BFloat16}, 2, 2 * 6 * 10 * 64}, {kernel.Format{Planar: true}, 33, 33 * 6 * 10 * 4},
	} {
		l := kernel.Layout{Channels: 33, H: 3, W: 5, Halo: halo, Format: c.format}
		if l.Blocks() != c.blocks || l.Bytes() != c.bytes {
			t.Errorf("%+v: %d blocks, %d bytes, want %d, %d", l, l.Blocks(), l.Bytes(), c.blocks, c.bytes)
		}
	}
	for elem, want := range map[kernel.Elem]string{kernel.Float32: "fp32 4", kernel.BFloat16: "bf16 2"} {
		if got := fmt.Sprint(elem, elem.Size()); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
