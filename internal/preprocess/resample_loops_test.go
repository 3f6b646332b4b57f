package preprocess

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
)

const guardByte, guardLen = 0xa5, 64

// guarded is n bytes with guard bytes round them.
type guarded struct{ all []byte }

func newGuarded(n int) guarded {
	return guarded{bytes.Repeat([]byte{guardByte}, n+2*guardLen)}
}

func (g guarded) data() []byte { return g.all[guardLen : len(g.all)-guardLen] }

func (g guarded) check(t *testing.T, name string) {
	t.Helper()
	guard := bytes.Repeat([]byte{guardByte}, guardLen)
	if !bytes.HasPrefix(g.all, guard) || !bytes.HasSuffix(g.all, guard) {
		t.Fatalf("%s: wrote outside", name)
	}
}

func randomBytes(rng *rand.Rand, dst []byte) {
	for i := range dst {
		dst[i] = byte(rng.Uint32())
		if rng.IntN(8) == 0 {
			dst[i] = 255
		}
	}
}

// randomWeights gives weights of either sign. Some are of a usual size, so that
// results lie on both sides of 0 and 255; others are any, so that sums wrap.
func randomWeights(rng *rand.Rand, n, taps int) []int32 {
	w := make([]int32, n)
	anything := rng.IntN(4) == 0
	for i := range w {
		if anything {
			w[i] = int32(rng.Uint32())
		} else {
			w[i] = int32((rng.Float64()*4 - 1.5) / float64(taps) * (1 << pillowBits))
		}
	}
	return w
}

func requireLoops(t *testing.T) resampleLoops {
	t.Helper()
	if fastLoops.column == nil || fastLoops.fourRows == nil {
		t.Skip("there are no vector loops here")
	}
	return fastLoops
}

// arena hands out memory for the operands of a loop; check tells whether
// something outside was written.
type arena struct {
	bytes func(n int) []byte
	check func(name string)
}

func guardedArena(t *testing.T) arena {
	var given []guarded
	return arena{
		func(n int) []byte {
			given = append(given, newGuarded(n))
			return given[len(given)-1].data()
		},
		func(name string) {
			t.Helper()
			for _, g := range given {
				g.check(t, name)
			}
			given = given[:0]
		},
	}
}

func TestColumnLoop(t *testing.T) { checkColumnLoop(t, guardedArena(t)) }

func checkColumnLoop(t *testing.T, memory arena) {
	l := requireLoops(t)
	rng := rand.New(rand.NewPCG(1, 2))
	for n := columnSamples; n <= 4*columnSamples+5; n++ {
		for taps := 1; taps <= 9; taps++ {
			name := fmt.Sprintf("%d samples, %d taps", n, taps)
			stride := rng.IntN(2 * n) // rows may overlap
			dst, src := memory.bytes(n), memory.bytes((taps-1)*stride+n)
			randomBytes(rng, src)
			weights := randomWeights(rng, taps, taps)
			l.column(dst, src, stride, weights)
			memory.check(name)
			for i, got := range dst {
				sum := int32(resampleHalf)
				for j, w := range weights {
					sum += int32(src[j*stride+i]) * w
				}
				if want := clamp8(sum >> pillowBits); got != want {
					t.Fatalf("%s: sample %d is %d, want %d", name, i, got, want)
				}
			}
		}
	}
}

func TestFourRowsLoop(t *testing.T) { checkFourRowsLoop(t, guardedArena(t)) }

func checkFourRowsLoop(t *testing.T, memory arena) {
	l := requireLoops(t)
	rng := rand.New(rand.NewPCG(3, 4))
	for pixels := range 40 {
		for taps := 1; taps <= 9; taps++ {
			name := fmt.Sprintf("%d pixels, %d taps", pixels, taps)
			width := taps + rng.IntN(30)
			srcStride, dstStride := 3*width+rng.IntN(9), 3*pixels+1+rng.IntN(9)
			// Exactly what the loop may touch.
			src, dst := memory.bytes(3*srcStride+3*width+1), memory.bytes(3*dstStride+3*pixels+1)
			randomBytes(rng, src)
			randomBytes(rng, dst)
			want := bytes.Clone(dst)
			firsts := make([]int, pixels)
			for i := range firsts {
				firsts[i] = rng.IntN(width - taps + 1)
			}
			weights := randomWeights(rng, pixels*taps, taps)
			for i, first := range firsts {
				for y := range 4 {
					for c := range 4 {
						sum := int32(resampleHalf)
						for j := range taps {
							sum += int32(src[y*srcStride+3*(first+j)+c]) * weights[i*taps+j]
						}
						want[y*dstStride+3*i+c] = clamp8(sum >> pillowBits)
					}
				}
			}
			l.fourRows(dst, dstStride, src, srcStride, firsts, weights, taps)
			memory.check(name)
			if !bytes.Equal(dst, want) {
				t.Fatalf("%s: got %v, want %v", name, dst, want)
			}
		}
	}
}

// TestResizeLoops holds a resize with vector loops against one in plain Go: all
// filters, colour and grey, sizes that leave every kind of rest, and windows.
func TestResizeLoops(t *testing.T) { checkResizeLoops(t, guardedArena(t)) }

func checkResizeLoops(t *testing.T, memory arena) {
	fast := requireLoops(t)
	var columns, rows int
	counting := resampleLoops{
		column: func(dst, src []byte, stride int, weights []int32) {
			columns++
			fast.column(dst, src, stride, weights)
		},
		fourRows: func(dst []byte, dstStride int, src []byte, srcStride int, firsts []int, weights []int32, taps int) {
			rows++
			fast.fourRows(dst, dstStride, src, srcStride, firsts, weights, taps)
		},
	}
	kernels := map[string]pillowKernel{
		"box": {boxWeight, 0.5}, "bilinear": {triangleWeight, 1}, "hamming": {hammingWeight, 1},
		"bicubic": {cubicWeight, 2}, "lanczos": {lanczosWeight, 3},
	}
	rng := rand.New(rand.NewPCG(5, 6))
	side := func() int { return 1 + rng.IntN(70) }
	fastBuffers, plainBuffers := new(buffers), new(buffers)
	for kernelName, k := range kernels {
		for i := range 300 {
			src := &Image{Width: side(), Height: side(), Grey: i%4 == 0}
			p := whole(side(), side())
			switch i % 8 { // one pass only
			case 1:
				p = whole(src.Width, p.height)
			case 2:
				p = whole(p.width, src.Height)
			}
			if p.width == src.Width && p.height == src.Height {
				continue
			}
			if i%3 == 0 {
				p.x0, p.y0 = rng.IntN(p.width), rng.IntN(p.height)
				p.x1, p.y1 = p.x0+1+rng.IntN(p.width-p.x0), p.y0+1+rng.IntN(p.height-p.y0)
			}
			name := fmt.Sprintf("%s, %dx%d, grey %v, to %+v", kernelName, src.Width, src.Height, src.Grey, p)
			src.Pix = memory.bytes(src.Channels() * src.Width * src.Height)
			randomBytes(rng, src.Pix)
			dst := &Image{Width: p.x1 - p.x0, Height: p.y1 - p.y0, Grey: src.Grey}
			want := *dst
			dst.Pix = memory.bytes(src.Channels() * dst.Width * dst.Height)
			want.Pix = make([]byte, len(dst.Pix))
			k.resize(counting, dst, src, p, fastBuffers)
			memory.check(name)
			k.resize(resampleLoops{}, &want, src, p, plainBuffers)
			if !bytes.Equal(dst.Pix, want.Pix) {
				t.Fatalf("%s: differs", name)
			}
		}
	}
	if columns < 1000 || rows < 1000 {
		t.Errorf("the vector loops ran %d and %d times", columns, rows)
	}
}

// The vector loops can be switched off from outside.
func TestLoopsHonourGODEBUG(t *testing.T) {
	const marker = "PREPROCESS_TEST_PRINT_LOOPS"
	if os.Getenv(marker) != "" {
		fmt.Println("plain:", fastLoops.column == nil && fastLoops.fourRows == nil)
		return
	}
	requireLoops(t)
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), "GODEBUG=cpu.avx2=off", marker+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if !strings.Contains(string(out), "plain: true") {
		t.Errorf("got %s", out)
	}
}
