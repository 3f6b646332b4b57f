package kernel

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"repvgg/internal/cpu/winograd"
	"repvgg/internal/model"
)

func TestVariants(t *testing.T) {
	var names []string
	for _, v := range Variants() {
		names = append(names, v.String())
		if !v.Has(Float32) || v.addScaled == nil || v.gate == nil || v.sum == nil {
			t.Errorf("%v lacks kernels", v)
		}
		for _, m := range winograd.Outputs() {
			if tr := v.transforms[m]; tr.input[Float32] == nil || tr.output == nil {
				t.Errorf("%v lacks the transforms of F(%d, 3)", v, m)
			}
		}
	}
	known := []string{"avx512", "avx2", "go"}
	at := 0
	for _, name := range names {
		i := slices.Index(known[at:], name)
		if i < 0 {
			t.Fatalf("variants %v: want some of %v, in this order", names, known)
		}
		at += i + 1
	}
	if names[len(names)-1] != "go" {
		t.Errorf("variants %v: the last must be go", names)
	}
	Variants()[0] = nil
	if Variants()[0] == nil {
		t.Error("a caller can change the list of variants")
	}
}

// Each level can be switched off from outside.
func TestVariantsHonourGODEBUG(t *testing.T) {
	const marker = "KERNEL_TEST_PRINT_VARIANTS"
	if os.Getenv(marker) != "" {
		fmt.Println("variants:", Variants())
		return
	}
	for _, c := range []struct{ godebug, without string }{{"cpu.avx512f=off", "avx512"}, {"cpu.avx512f=off,cpu.avx2=off", "avx2"}} {
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), "GODEBUG="+c.godebug, marker+"=1")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if !strings.Contains(string(out), "go]") || strings.Contains(string(out), c.without) {
			t.Errorf("GODEBUG=%s: %s", c.godebug, out)
		}
	}
}

// Register tiles cover a row exactly, and differ by one row at most.
func TestTiling(t *testing.T) {
	for _, v := range Variants() {
		for n := 1; n <= 300; n++ {
			for panels := 1; panels <= len(v.gemm[Float32]); panels++ {
				d := v.registerTiles(n, panels)
				if d.small < 1 || d.large < 0 || d.rows < 1 || d.small*d.rows+d.large*(d.rows+1) != n ||
					d.rows > len(v.gemm[Float32][panels-1]) || d.large > 0 && d.rows+1 > len(v.gemm[Float32][panels-1]) {
					t.Fatalf("%v: %d rows of %d panels are %+v", v, n, panels, d)
				}
			}
			for available := 1; available < 10; available++ {
				if p := v.panels(n, available); p < 1 || p > available || p > len(v.gemm[Float32]) {
					t.Fatalf("%v: %d panels for %d rows of %d", v, p, n, available)
				}
			}
		}
	}
}

// Variables, so that the processor and not the compiler computes with them.
var (
	tiny32 float32 = 0x1p-130
	tiny64         = 0x1p-1040
	half           = 0.5
)

// Kernels make denormal numbers zero only while they run: Go's arithmetic after
// a call must have them, in either type.
func TestKernelsRestoreTheFloatingPointState(t *testing.T) {
	runtime.LockOSThread() // the state is a thread's
	defer runtime.UnlockOSThread()
	check := func(v *Variant, name string) {
		t.Helper()
		if x, y := tiny32*float32(half), tiny64*half; x != 0x1p-131 || y != 0x1p-1041 {
			t.Errorf("%v: after %s, denormal numbers are %v and %v", v, name, x, y)
		}
	}
	s := model.Conv{In: 16, Out: 16, KernelH: 3, KernelW: 3, Stride: 1, PadH: 1, PadW: 1, Dilation: 1, Groups: 1}
	p := newProblem(s, 1, 6, 6, 1)
	var scratch Scratch
	for _, v := range Variants() {
		check(v, "nothing")
		for i := range v.gemm[Float32] {
			for j := range v.gemm[Float32][i] {
				a, b, out, offset := filled(j+1, 1), filled((i+1)*Lanes, 1), filled((i+1)*(j+1)*Lanes, 1), 0
				v.gemm[Float32][i][j](words(a), wordBytes, 0, &offset, 1, 1, words(b), cellBytes, words(b), &out[0], cellBytes, (j+1)*cellBytes, 0, nil, 0, 0, 1)
				check(v, fmt.Sprintf("a tile of %d rows, %d panels", j+1, i+1))
			}
		}
		for _, c := range p.algorithms(t, v) {
			dst, _ := p.outputs(1)
			c.Run(dst, p.input(v, c), 1, p.epilogue(false, false), Share{0, 1, &scratch})
			check(v, c.Algorithm())
		}
		x, y := filled(Lanes, 1), filled(Lanes, 1)
		v.AddScaled(x, y, y, y, true)
		check(v, "AddScaled")
		v.Gate(x, y, true)
		check(v, "Gate")
		v.GlobalAvgPool(x, mapsOf(layoutOf(Lanes, 1, 1, nil), y), 0, 0, &scratch)
		check(v, "GlobalAvgPool")
	}
}

// A denormal operand must not make a kernel wrong by more than its size, and
// denormal results may be zero.
func TestDenormals(t *testing.T) {
	s := model.Conv{In: 16, Out: 16, KernelH: 3, KernelW: 3, Stride: 1, PadH: 1, PadW: 1, Dilation: 1, Groups: 1}
	p := newProblem(s, 1, 9, 9, 1)
	for i := range p.values {
		p.values[i] *= 0x1p-128
	}
	for _, v := range Variants() {
		for _, c := range p.algorithms(t, v) {
			var scratch Scratch
			dst, _ := p.outputs(1)
			c.Run(dst, p.input(v, c), 1, p.epilogue(false, false), Share{0, 1, &scratch})
			for k := range p.sums {
				// Of the inputs at most nothing remains.
				channel := k / (p.oh * p.ow)
				got := dst.value(0, channel, k/p.ow%p.oh, k%p.ow)
				if math.Abs(got-p.bias64[channel]) > 1e-6 {
					t.Fatalf("%v, %s: output %d is %v, want %v", v, c.Algorithm(), k, got, p.bias64[channel])
				}
			}
		}
	}
}
