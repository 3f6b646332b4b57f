//go:build cgo && unix

package gpu

import (
	"testing"
	"time"

	"repvgg/internal/gpu/cuda"
)

// testEngines lists the candidates for a convolution with bias and ReLU.
func testEngines(t *testing.T, r *Runner, s cuda.ConvShape) {
	leave, err := r.d.Enter()
	if err != nil {
		t.Fatal(err)
	}
	defer leave()
	size := int64(r.precision.size())
	at := operands{workspace: r.convolver.workspace}
	for _, o := range []struct {
		p     *cuda.Ptr
		bytes int64
	}{
		{&at.x, int64(s.N*s.H*s.W*s.C) * size}, {&at.w, int64(s.K*s.R*s.R*s.C/s.Groups) * size}, {&at.y, s.Results() * size},
		{&at.bias, int64(4 * s.K)}, {&at.narrowBias, int64(s.K) * size},
	} {
		if *o.p, err = r.d.Alloc(o.bytes); err != nil {
			t.Fatal(err)
		}
		defer r.d.Free(o.p)
		if err := r.compute.Fill(*o.p, 0x3d, o.bytes); err != nil { // small numbers in every precision
			t.Fatal(err)
		}
	}
	tr := &search{convolver: r.convolver, convolution: convolution{s, epilogue{Bias: true, ReLU: true}, at}}
	works := false
	best, tried, working, why := map[string]float64{}, map[string]int{}, map[string]int{}, map[string]error{}
	for i, list := range tr.lists() {
		start := time.Now()
		candidates := list()
		proposed := time.Since(start)
		start = time.Now()
		made := tr.build(t.Context(), tr.jobs(candidates))
		t.Logf("list %d: %d candidates proposed in %v, built in %v", i, len(candidates), proposed.Round(time.Millisecond), time.Since(start).Round(time.Millisecond))
		for j, c := range candidates {
			op, err := made[j].op, made[j].err
			if op == nil && err == nil {
				op, err = tr.make(tr.dnn, tr.convolution, c)
			}
			if err == nil && c.Method == methodGraphZero {
				err = tr.checkIndependent(op)
			}
			us := 0.0
			if err == nil {
				us, err = tr.time(op, 0)
			}
			tried[c.Method]++
			if err != nil {
				t.Logf("  %s, %s %v: %v", c.Method, c.name(), c.Knobs, err)
				why[c.Method] = err
			} else {
				working[c.Method]++
				if b, ok := best[c.Method]; !ok || us < b {
					best[c.Method] = us
				}
				works = works || c.Method != methodDirect
				t.Logf("  %s, %s %v: %.1f us, %.1f TFLOP/s", c.Method, c.name(), c.Knobs, us, gflops(s)/us*1e3)
			}
			if op != nil {
				op.close()
			}
		}
	}
	for _, why := range tr.refusals {
		t.Log(why)
	}
	for _, m := range []string{methodGraph, methodGraphNarrow, methodGraphZero, methodGraphPlain, methodLegacy, methodDirect} {
		if tried[m] > 0 {
			t.Logf("BEST %s: %.1f us, %.1f TFLOP/s, %d of %d work; %v", m, best[m], gflops(s)/max(best[m], 1e-9)*1e3, working[m], tried[m], why[m])
		}
	}
	if !works && r.precision == fp32 && s.Groups > 1 {
		t.Log("cuDNN has no engine without tensor cores: our own kernel is for that")
	} else if !works {
		t.Error("cuDNN has no engine")
	}
}

// gflops is the number of operations of a convolution, in billions.
func gflops(s cuda.ConvShape) float64 {
	return 2 * float64(s.Results()) * float64(s.C/s.Groups*s.R*s.R) / 1e9
}
