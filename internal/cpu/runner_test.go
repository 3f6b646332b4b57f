package cpu

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"repvgg/internal/cpu/kernel"
	"repvgg/internal/model"
	"repvgg/internal/tensor"
	"repvgg/internal/testkit"
)

// netTolerance is the difference from the float64 reference, relative to the
// largest result of an image: float32 rounding through a few layers.
const netTolerance = 5e-6

// newRunner runs p on two threads.
func newRunner(t *testing.T, p *model.Plan, values tensor.Map) *Runner {
	t.Helper()
	return newVariantRunner(t, p, values, 2, nil)
}

// newVariantRunner forces an implementation of the kernels.
func newVariantRunner(t *testing.T, p *model.Plan, values tensor.Map, threads int, v *kernel.Variant) *Runner {
	t.Helper()
	r, err := New(p, values, Options{Threads: threads, variant: v})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func TestRunMatchesReference(t *testing.T) {
	for _, form := range []model.Form{model.Train, model.Deploy} {
		for name, p := range testkit.Plans(form) {
			for _, v := range kernel.Variants() {
				t.Run(fmt.Sprintf("%v/%s/%v", form, name, v), func(t *testing.T) {
					values := testkit.Weights(p, 1)
					r := newVariantRunner(t, p, values, 2, v)
					ref := testkit.Network{Plan: p, Values: values}
					for _, size := range [][2]int{{1, 1}, {1, 9}, {2, 3}, {7, 7}, {16, 11}, {61, 90}} {
						checkRun(t, r, ref, 2, size[0], size[1])
					}
				})
			}
		}
	}
}

func checkRun(t *testing.T, r *Runner, ref testkit.Network, n, h, w int) {
	t.Helper()
	checkRunWithin(t, r, ref, n, h, w, netTolerance)
}

func checkRunWithin(t *testing.T, r *Runner, ref testkit.Network, n, h, w int, tolerance float64) {
	t.Helper()
	in, out := r.plan.InChannels*h*w, r.plan.OutLen(h, w)
	src, dst := testkit.Images(n*in, uint64(h*100+w)), make([]float32, n*out)
	if err := r.Run(context.Background(), dst, src, n, h, w); err != nil {
		t.Fatal(err)
	}
	for image := range n {
		want := ref.Image(src[image*in:][:in], h, w)
		if len(want) != out {
			t.Fatalf("%dx%d: OutLen is %d, want %d", h, w, out, len(want))
		}
		if e := largestError(dst[image*out:][:out], want); !(e <= tolerance) {
			t.Fatalf("%dx%d: image %d is off by %v of its largest value", h, w, image, e)
		}
	}
}

// An image's result must not depend on what is computed beside it.
func TestRunIsDeterministic(t *testing.T) {
	for _, v := range kernel.Variants() {
		for _, form := range []model.Form{model.Train, model.Deploy} {
			for name, p := range testkit.Plans(form) {
				t.Run(fmt.Sprintf("%v/%v/%s", v, form, name), func(t *testing.T) { checkDeterminism(t, p, v) })
			}
		}
	}
}

func checkDeterminism(t *testing.T, p *model.Plan, v *kernel.Variant) {
	const n, h, w = 9, 19, 23
	values := testkit.Weights(p, 2)
	in, out := p.InChannels*h*w, p.OutLen(h, w)
	src := testkit.Images(n*in, 5)
	want := make([]float32, n*out)
	one := newVariantRunner(t, p, values, 1, v)
	for i := range n {
		if err := one.Run(context.Background(), want[i*out:][:out], src[i*in:][:in], 1, h, w); err != nil {
			t.Fatal(err)
		}
	}
	for _, threads := range []int{1, 2, 3, 8} {
		r := newVariantRunner(t, p, values, threads, v)
		for _, batch := range []int{1, 2, 4, 9} {
			for from := 0; from < n; from += batch {
				k := min(batch, n-from)
				got := make([]float32, k*out)
				if err := r.Run(context.Background(), got, src[from*in:][:k*in], k, h, w); err != nil {
					t.Fatal(err)
				}
				if !sameBits(got, want[from*out:][:k*out]) {
					t.Fatalf("%d threads, images %d to %d: not the bits of single images", threads, from, from+k)
				}
			}
		}
	}
}

// largestError is relative to the largest value.
func largestError(got []float32, want []float64) float64 {
	worst, largest := 0.0, 0.0
	for i, v := range want {
		if d := math.Abs(float64(got[i]) - v); !(d <= worst) {
			worst = d
		}
		largest = max(largest, math.Abs(v))
	}
	if worst == 0 {
		return 0
	}
	return worst / largest
}

func sameBits(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
}

// A batch beyond the memory limit is run in groups.
func TestRunBoundsMemory(t *testing.T) {
	p := testkit.Plan(model.Deploy, 3, testkit.Block(1, 64, 1, 1, 1, 0), testkit.Block(64, 1, 16, 1, 1, 0))
	const n, h, w = 20, 256, 256 // a map of 16 MiB for each image
	values := testkit.Weights(p, 1)
	r := newRunner(t, p, values)
	src, dst := testkit.Images(n*h*w, 1), make([]float32, n*3)
	if err := r.Run(context.Background(), dst, src, n, h, w); err != nil {
		t.Fatal(err)
	}
	for _, e := range r.allExecutors() {
		if e.bytes > groupBytes {
			t.Errorf("the feature maps of a group take %d bytes, more than %d", e.bytes, groupBytes)
		}
	}
	last := make([]float32, 3)
	if err := r.Run(context.Background(), last, src[(n-1)*h*w:], 1, h, w); err != nil {
		t.Fatal(err)
	}
	if !sameBits(last, dst[(n-1)*3:]) {
		t.Error("the last image of a large batch differs from the same image alone")
	}
}

func TestRunRefusesWhatDoesNotFit(t *testing.T) {
	p := testkit.Plan(model.Deploy, 3, testkit.Block(3, 8, 2, 1, 1, 0), testkit.Block(8, 8, 1, 1, 1, 0))
	r := newRunner(t, p, testkit.Weights(p, 1))
	r.limit = 1 << 20
	dst := make([]float32, 20*3)
	for _, n := range []int{1, 20} {
		err := r.Run(context.Background(), dst[:n*3], testkit.Images(n*3*640*640, 1), n, 640, 640)
		if err == nil || !strings.Contains(err.Error(), "use smaller images") {
			t.Errorf("%d images: error %v", n, err)
		}
		if err := r.Run(context.Background(), dst[:n*3], testkit.Images(n*3*32*32, 1), n, 32, 32); err != nil {
			t.Errorf("%d small images after that: %v", n, err)
		}
	}
}
