package cpu

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/bits"
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
		scale := 0.0
		for _, v := range want {
			scale = max(scale, math.Abs(v))
		}
		for i, v := range want {
			if got := dst[image*out+i]; !(math.Abs(float64(got)-v) <= tolerance*scale) {
				t.Fatalf("%dx%d: value %d of image %d is %v, want %v", h, w, i, image, got, v)
			}
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
	for _, l := range append(r.lanes, r.shared) {
		if l.bytes > laneBytes {
			t.Errorf("a lane holds %d bytes, more than %d", l.bytes, laneBytes)
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

func TestRunDoesNotAllocate(t *testing.T) {
	for _, form := range []model.Form{model.Train, model.Deploy} {
		p := testkit.Plans(form)["se"]
		r := newRunner(t, p, testkit.Weights(p, 1))
		const n, h, w = 3, 16, 16
		src, dst := testkit.Images(n*3*h*w, 1), make([]float32, n*p.OutLen(h, w))
		allocs := testing.AllocsPerRun(10, func() {
			if err := r.Run(context.Background(), dst, src, n, h, w); err != nil {
				t.Fatal(err)
			}
		})
		if allocs != 0 {
			t.Errorf("%v form: %v allocations in a run", form, allocs)
		}
	}
}

func TestRunKeepsNaN(t *testing.T) {
	for _, form := range []model.Form{model.Train, model.Deploy} {
		p := testkit.Plans(form)["plain"]
		r := newRunner(t, p, testkit.Weights(p, 1))
		src, dst := testkit.Images(2*3*8*8, 1), make([]float32, 2*70)
		src[0] = float32(math.NaN())
		if err := r.Run(context.Background(), dst, src, 2, 8, 8); err != nil {
			t.Fatal(err)
		}
		if !math.IsNaN(float64(dst[0])) || math.IsNaN(float64(dst[70])) {
			t.Errorf("%v form: a NaN in image 0 gives %v for it and %v for image 1", form, dst[0], dst[70])
		}
	}
}

func TestRunRefuses(t *testing.T) {
	p := testkit.Plans(model.Deploy)["plain"]
	r := newRunner(t, p, testkit.Weights(p, 1))
	src, dst := make([]float32, 2*3*8*8), make([]float32, 2*70)
	for _, c := range []struct {
		dst, src []float32
		n, h, w  int
		want     string
	}{
		{dst, src[1:], 2, 8, 8, "are not 2 images of 3x8x8"},
		{dst, append(src, 0), 2, 8, 8, "are not 2 images"},
		{dst[1:], src, 2, 8, 8, "room for 2 x 70 results, got 139"},
		{nil, src, 2, 8, 8, "room for"},
		{dst, src, -1, 8, 8, "want images of at least 1x1"},
		{dst, src, 2, 0, 8, "want images of at least 1x1"},
		{dst, src, 2, 8, 0, "want images of at least 1x1"},
		{dst, src, 1 << (bits.UintSize / 2), 1 << (bits.UintSize/2 - 1), 1, "are not"},
		{dst, src, 2, 1 << (bits.UintSize - 2), 8, "are not"},
	} {
		err := r.Run(context.Background(), c.dst, c.src, c.n, c.h, c.w)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d images of %dx%d in %d values: error %v, want %q", c.n, c.h, c.w, len(c.src), err, c.want)
		}
	}
	if err := r.Run(context.Background(), nil, nil, 0, 8, 8); err != nil {
		t.Errorf("no images: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := r.Run(ctx, dst, src, 2, 8, 8); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: error %v", err)
	}
	if err := errors.Join(r.Close(), r.Close()); err != nil {
		t.Errorf("closing twice: %v", err)
	}
	if err := r.Run(context.Background(), dst, src, 2, 8, 8); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("after Close: error %v", err)
	}
}

// endingContext ends at the given call of Err.
type endingContext struct {
	context.Context
	calls *int
}

func (c endingContext) Err() error {
	if *c.calls--; *c.calls < 0 {
		return context.Canceled
	}
	return nil
}

func TestRunStopsBetweenLayers(t *testing.T) {
	p := testkit.Plans(model.Deploy)["plain"]
	r := newRunner(t, p, testkit.Weights(p, 1))
	src := testkit.Images(3*8*8, 1)
	for calls := range p.Depth {
		dst := make([]float32, 70)
		if err := r.Run(endingContext{context.Background(), &calls}, dst, src, 1, 8, 8); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled in layer %d: error %v", calls, err)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	failing := errors.New("no such tensor")
	good := func(form model.Form) (*model.Plan, tensor.Map) {
		p := testkit.Plans(form)["se"]
		return p, testkit.Weights(p, 1)
	}
	for _, c := range []struct {
		name string
		form model.Form
		do   func(*model.Plan, tensor.Map, *Options)
		want string
	}{
		{"threads", model.Deploy, func(_ *model.Plan, _ tensor.Map, o *Options) { o.Threads = -1 }, "want 1 to 1024 threads"},
		{"depth", model.Deploy, func(p *model.Plan, _ tensor.Map, _ *Options) { p.Depth = 0 }, "want 1 to 4 blocks"},
		{"channels", model.Deploy, func(p *model.Plan, _ tensor.Map, _ *Options) { p.Blocks[1].In = 9 }, `block "backbone.stage_1.1": it takes 9 channels, but there are 8`},
		{"identity", model.Train, func(p *model.Plan, _ tensor.Map, _ *Options) {
			p.Blocks[2].Branches = append(p.Blocks[2].Branches, model.Branch{})
		}, "identity branch needs"},
		{"groups", model.Deploy, func(p *model.Plan, _ tensor.Map, _ *Options) { p.Blocks[1].Groups = 3 }, "3 groups"},
		{"head", model.Deploy, func(p *model.Plan, _ tensor.Map, _ *Options) { p.Head.Features = 9 }, "takes 9 features"},
		{"length", model.Deploy, func(_ *model.Plan, v tensor.Map, _ *Options) { v["head.fc.bias"] = nil }, `tensor "head.fc.bias" has 0 values, want shape (5,)`},
		{"variance", model.Train, func(_ *model.Plan, v tensor.Map, _ *Options) {
			v["backbone.stage_1.1.branch_1x1.norm.running_var"][2] = -1
		}, `running_var of channel 2 is -1`},
	} {
		p, values := good(c.form)
		var opts Options
		c.do(p, values, &opts)
		r, err := New(p, values, opts)
		if err == nil {
			r.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
	p, _ := good(model.Train)
	if _, err := New(p, tensor.Func(func(tensor.Spec) ([]float32, error) { return nil, failing }), Options{}); !errors.Is(err, failing) {
		t.Errorf("a failing reader: error %v", err)
	}
}

func TestRunFromSeveralGoroutines(t *testing.T) {
	p := testkit.Plans(model.Train)["se"]
	r := newRunner(t, p, testkit.Weights(p, 1))
	src := testkit.Images(3*16*16, 1)
	want := make([]float32, 5)
	if err := r.Run(context.Background(), want, src, 1, 16, 16); err != nil {
		t.Fatal(err)
	}
	results := make(chan []float32)
	for range 4 {
		go func() {
			got := make([]float32, 5)
			if r.Run(context.Background(), got, src, 1, 16, 16) != nil {
				got = nil
			}
			results <- got
		}()
	}
	for range 4 {
		if got := <-results; !sameBits(got, want) {
			t.Errorf("a concurrent run gives %v, want %v", got, want)
		}
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
