//go:build cgo && unix

package gpu

import (
	"errors"
	"math"
	"strings"
	"testing"

	"repvgg/internal/engine"
	"repvgg/internal/gpu/cuda"
	"repvgg/internal/model"
	"repvgg/internal/testkit"
)

// memory is the device's free memory.
func memory(t *testing.T, d *cuda.Device) (free int64) {
	t.Helper()
	leave, err := d.Enter()
	if err != nil {
		t.Fatal(err)
	}
	defer leave()
	if free, _, err = d.Memory(); err != nil {
		t.Fatal(err)
	}
	return free
}

// TestGPULeaks makes and closes runners; the device's free memory must not
// shrink.
func TestGPULeaks(t *testing.T) { testLeaks(t, requireGPU(t), "se", 16) }

func testLeaks(t *testing.T, env cuda.Environment, name string, rounds int) {
	base, err := cuda.OpenDevice(env, 0) // keeps the context
	if err != nil {
		t.Fatal(err)
	}
	defer base.Close()
	plan := testkit.Plans(model.Train)[name]
	values := testkit.Weights(plan, 8)
	free := int64(0)
	const settled = 4
	for i := range rounds {
		r, err := newRunner(plan, values, Options{Precision: engine.FP16, noTune: true}, env)
		if err != nil {
			t.Fatal(err)
		}
		checkAgainst(t, r, testkit.Network{Plan: plan, Values: values}, 2, 8, 9)
		if err := errors.Join(r.Close(), r.Close()); err != nil {
			t.Fatal(err)
		}
		if r.d.Allocated() > 0 {
			t.Fatalf("%d bytes are allocated after Close", r.d.Allocated())
		}
		if i == settled {
			free = memory(t, base)
		}
	}
	// Other processes may take some memory; a leak of runners would be more.
	if now := memory(t, base); now < free-64<<20 {
		t.Errorf("%d bytes are free after %d rounds, %d after %d", now, rounds, free, settled)
	}
}

// TestGPUShortMemory takes nearly all memory and runs a large batch.
func TestGPUShortMemory(t *testing.T) { testShortMemory(t, requireGPU(t)) }

func testShortMemory(t *testing.T, env cuda.Environment) {
	plan := testkit.Plan(model.Deploy, 5, testkit.Block(3, 64, 1, 1, 1, 0), testkit.Block(64, 64, 1, 1, 1, 0))
	values := testkit.Weights(plan, 9)
	var notes []string
	r := newTestRunner(t, env, plan, values, Options{Precision: engine.FP16, noTune: true, Note: func(text string) { notes = append(notes, text) }})
	const n, h, w = 64, 128, 128 // maps of 134 MB
	leave, err := r.d.Enter()
	if err != nil {
		t.Fatal(err)
	}
	free, _, err := r.d.Memory()
	if err != nil {
		t.Fatal(err)
	}
	// Free memory may be in pieces: allocations of decreasing size fill them.
	var taken []cuda.Ptr
	for size := int64(1) << 40; size >= 16<<20; size /= 2 {
		for free-200<<20 >= size {
			p, err := r.d.Alloc(size)
			if err != nil {
				break
			}
			taken = append(taken, p)
			if free, _, err = r.d.Memory(); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("%d bytes are left", free)
	leave()
	defer func() {
		if leave, err := r.d.Enter(); err == nil {
			defer leave()
			for i := range taken {
				r.d.Free(&taken[i])
			}
		}
	}()
	src, dst := testkit.Images(n*3*h*w, 2), make([]float32, n*5)
	if err := r.Run(t.Context(), dst, src, n, h, w); err != nil {
		t.Fatal(err)
	}
	if len(notes) == 0 || !strings.Contains(notes[0], "images are computed at once instead of 64") {
		t.Errorf("notes %q", notes)
	}
	in := 3 * h * w
	last := make([]float32, 5)
	if err := r.Run(t.Context(), last, src[(n-1)*in:], 1, h, w); err != nil {
		t.Fatal(err)
	}
	for i, v := range last {
		if math.Abs(float64(v-dst[(n-1)*5+i])) > 5e-3*math.Abs(float64(v))+1e-3 {
			t.Errorf("result %d of the last image is %v in parts, %v alone", i, dst[(n-1)*5+i], v)
		}
	}
}
