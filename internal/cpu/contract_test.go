package cpu_test

import (
	"context"
	"errors"
	"math"
	"math/bits"
	"slices"
	"strings"
	"testing"

	"repvgg/internal/cpu"
	"repvgg/internal/engine"
	"repvgg/internal/model"
	"repvgg/internal/tensor"
	"repvgg/internal/testkit"
)

// The contract of engine.Runner, and what New says of wrong arguments.

func newRunner(t *testing.T, p *model.Plan) engine.Runner {
	t.Helper()
	r, err := cpu.New(p, testkit.Weights(p, 1), cpu.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func TestRunRefuses(t *testing.T) {
	p := testkit.Plans(model.Deploy)["plain"]
	r := newRunner(t, p)
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
	r := newRunner(t, p)
	src := testkit.Images(3*8*8, 1)
	for calls := range p.Depth {
		dst := make([]float32, 70)
		if err := r.Run(endingContext{context.Background(), &calls}, dst, src, 1, 8, 8); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled in layer %d: error %v", calls, err)
		}
	}
}

func TestCapabilities(t *testing.T) {
	p := testkit.Plans(model.Deploy)["se"]
	r := newRunner(t, p)
	can := r.Capabilities()
	if can.Kernels == "" || can.StartBytes != nil || can.RunQueued != nil {
		t.Errorf("capabilities %+v", can)
	}
	packed, before := can.Memory()
	run := func() {
		if err := r.Run(context.Background(), make([]float32, 5), testkit.Images(3*16*16, 1), 1, 16, 16); err != nil {
			t.Fatal(err)
		}
	}
	spent := func() (names []string, times int) {
		for _, l := range can.Layers() {
			names = append(names, l.Name)
			if l.Time > 0 {
				times++
			}
		}
		return names, times
	}
	run()
	if again, total := can.Memory(); again != packed || packed == 0 || before != packed || total <= packed {
		t.Errorf("%d bytes of %d are packed weights before a run, %d of %d after it", packed, before, again, total)
	}
	want := []string{"backbone.stage_1.0", "backbone.stage_1.1", "backbone.stage_1.2", "backbone.stage_1.3", "head"}
	if names, times := spent(); !slices.Equal(names, want) || times != 0 {
		t.Errorf("without a trace, %d of %q took time; want none of %q", times, names, want)
	}
	can.Trace(true)
	run()
	if _, times := spent(); times != len(want) {
		t.Errorf("with a trace, %d of %d layers took time", times, len(want))
	}
	can.Trace(false)
	run()
	if _, times := spent(); times != 0 {
		t.Errorf("after a trace, %d layers took time", times)
	}
}

func TestRunFromSeveralGoroutines(t *testing.T) {
	p := testkit.Plans(model.Train)["se"]
	r := newRunner(t, p)
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
		if got := <-results; !slices.Equal(got, want) {
			t.Errorf("a concurrent run gives %v, want %v", got, want)
		}
	}
}

func TestRunDoesNotAllocate(t *testing.T) {
	for _, form := range []model.Form{model.Train, model.Deploy} {
		p := testkit.Plans(form)["se"]
		r := newRunner(t, p)
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
		r := newRunner(t, p)
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

func TestNewRefuses(t *testing.T) {
	failing := errors.New("no such tensor")
	good := func(form model.Form) (*model.Plan, tensor.Map) {
		p := testkit.Plans(form)["se"]
		return p, testkit.Weights(p, 1)
	}
	for _, c := range []struct {
		name string
		form model.Form
		do   func(*model.Plan, tensor.Map, *cpu.Options)
		want string
	}{
		{"threads", model.Deploy, func(_ *model.Plan, _ tensor.Map, o *cpu.Options) { o.Threads = -1 }, "want 1 to 1024 threads"},
		{"depth", model.Deploy, func(p *model.Plan, _ tensor.Map, _ *cpu.Options) { p.Depth = 0 }, "want 1 to 4 blocks"},
		{"channels", model.Deploy, func(p *model.Plan, _ tensor.Map, _ *cpu.Options) { p.Blocks[1].In = 9 }, `block "backbone.stage_1.1": it takes 9 channels, but there are 8`},
		{"identity", model.Train, func(p *model.Plan, _ tensor.Map, _ *cpu.Options) {
			p.Blocks[2].Branches = append(p.Blocks[2].Branches, model.Branch{})
		}, "identity branch needs"},
		{"groups", model.Deploy, func(p *model.Plan, _ tensor.Map, _ *cpu.Options) { p.Blocks[1].Groups = 3 }, "3 groups"},
		{"head", model.Deploy, func(p *model.Plan, _ tensor.Map, _ *cpu.Options) { p.Head.Features = 9 }, "takes 9 features"},
		{"length", model.Deploy, func(_ *model.Plan, v tensor.Map, _ *cpu.Options) { v["head.fc.bias"] = nil }, `tensor "head.fc.bias" has 0 values, want shape (5,)`},
		{"variance", model.Train, func(_ *model.Plan, v tensor.Map, _ *cpu.Options) {
			v["backbone.stage_1.1.branch_1x1.norm.running_var"][2] = -1
		}, `running_var of channel 2 is -1`},
	} {
		p, values := good(c.form)
		var opts cpu.Options
		c.do(p, values, &opts)
		r, err := cpu.New(p, values, opts)
		if err == nil {
			r.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
	p, _ := good(model.Train)
	if _, err := cpu.New(p, tensor.Func(func(tensor.Spec) ([]float32, error) { return nil, failing }), cpu.Options{}); !errors.Is(err, failing) {
		t.Errorf("a failing reader: error %v", err)
	}
}
