package kernel

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestMicroKernels holds each register tile against float64 sums, with guard
// words between the rows of its output and round all operands.
func TestMicroKernels(t *testing.T) {
	for _, v := range Variants() {
		for i := range v.gemm {
			for _, depth := range []int{0, 1, 2, 3, 27, 100} {
				for _, mode := range []struct{ add, relu bool }{{}, {add: true}, {relu: true}, {true, true}} {
					for shift := range 4 {
						checkMicroKernel(t, v, i+1, depth, mode.add, mode.relu, shift)
					}
				}
			}
		}
	}
}

// checkMicroKernel puts NaN, Inf and -Inf into rows, in turn with shift; 0 has
// none.
func checkMicroKernel(t *testing.T, v *Variant, vectors, depth int, addTo, relu bool, shift int) {
	t.Helper()
	name := fmt.Sprintf("%v, %d vectors, depth %d, add %v, relu %v, shift %d", v, vectors, depth, addTo, relu, shift)
	rng := newRand(uint64(depth))
	pixels := vectors * v.lanes
	stride := pixels + guardLen
	weights, bias := randomSlice(rng, depth*v.rows), randomSlice(rng, v.rows)
	if shift > 0 {
		for i := range bias.data() {
			bias.data()[i] = []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))}[(i+shift)%3]
		}
	}
	strips := randomSlice(rng, depth+pixels) // patches overlap, at every alignment
	offsets := make([]int32, depth)
	for k := range offsets {
		offsets[k] = int32(rng.IntN(depth + 1))
	}
	dst := newGuarded(v.rows*stride - guardLen)
	var add, before []float32
	if addTo {
		add = dst.data()
		for i := range v.rows {
			copy(dst.data()[i*stride:], randomSlice(rng, pixels).data())
		}
		before = append(before, add...)
	}
	v.gemm[vectors-1](dst.data(), stride, add, weights.data(), bias.data(), strips.data(), offsets, relu)
	dst.check(t, name)
	for at, got := range dst.data() {
		i, j := at/stride, at%stride
		if j >= pixels {
			if math.Float32bits(got) != guardBits {
				t.Fatalf("%s: wrote between rows %d and %d", name, i, i+1)
			}
			continue
		}
		want := float64(bias.data()[i])
		scale := math.Abs(want)
		for k, offset := range offsets {
			product := float64(weights.data()[k*v.rows+i]) * float64(strips.data()[int(offset)+j])
			want += product
			scale += math.Abs(product)
		}
		if addTo {
			want += float64(before[at])
			scale += math.Abs(float64(before[at]))
		}
		if relu {
			want = RefReLU(want)
		}
		if !closeTo(got, want, scale, convTolerance) {
			t.Fatalf("%s: row %d, pixel %d is %v, want %v", name, i, j, got, want)
		}
	}
}

func TestStripBlocks(t *testing.T) {
	rng := newRand(1)
	for _, v := range Variants() {
		for stride := 1; stride <= len(v.strip); stride++ {
			block := v.stripBlock(stride)
			if block == nil {
				continue
			}
			for range 2000 {
				load, store := uint16(rng.Uint32()), uint16(rng.Uint32())
				rows, dstStride, srcStride := 1+rng.IntN(4), 16+rng.IntN(4), rng.IntN(40)
				src := randomSlice(rng, 3*srcStride+16*stride)
				dst := newGuarded((rows-1)*dstStride + 16)
				at := rng.IntN(2*stride) - stride
				for lane := range 16 { // stay inside
					if at+lane*stride < 0 {
						load &^= 1 << lane
					}
				}
				if at > 0 {
					load &= 0x7fff >> (at / stride)
				}
				block(dst.data(), dstStride, src.data(), at, srcStride, rows, load, store)
				dst.check(t, "strip")
				for i, got := range dst.data() {
					y, x := i/dstStride, i%dstStride
					want := math.Float32frombits(guardBits)
					if x < 16 && store>>x&1 != 0 {
						want = 0
						if load>>x&1 != 0 {
							want = src.data()[at+y*srcStride+stride*x]
						}
					}
					if math.Float32bits(got) != math.Float32bits(want) {
						t.Fatalf("%v, stride %d, at %d, masks %016b %016b: row %d, column %d is %v, want %v", v, stride, at, load, store, y, x, got, want)
					}
				}
			}
		}
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
