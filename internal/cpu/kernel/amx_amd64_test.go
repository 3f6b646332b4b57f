//go:build !noasm

package kernel

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"repvgg/internal/amxtest"
)

// useAMX lets the test execute AMX instructions: on a processor that has them,
// or emulated. Only the emulator keeps to the manual's order of additions to the
// bit for certain.
func useAMX(t *testing.T) (emulated bool) {
	t.Helper()
	if requestAMX() {
		return false
	}
	restore, err := amxtest.Install()
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(restore)
	return true
}

// amxCase is a call of gemmAMX; strides are in bytes.
type amxCase struct {
	rows, second, panels, segments, times int
	// Where a row, the second tile, the next call of them and a segment lie.
	aStride, aSecond, aNext int
	offsets                 []int
	bPanel                  int
	// The gaps between rows of the result, in cells, and the guard words after it.
	gap, after int
	// The values.
	random func(*rand.Rand) float32
	// Where matrices lie.
	memory func(floats int) []float32
}

// run calls gemmAMX between guard words and compares with a scalar model.
func (c amxCase) run(rng *rand.Rand, emulated bool) error {
	last := (c.times-1)*c.aNext + (max(c.rows, c.second)-1)*c.aStride + maxOf(c.offsets) + 64
	if c.second > 0 {
		last += max(c.aSecond, 0)
	}
	halves := func(bytes int) []uint16 {
		return unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(c.memory(ceilDiv(bytes, 4))))), bytes/2)
	}
	a, b := halves(last), halves((c.panels-1)*c.bPanel+c.segments*1024)
	for i := range a {
		a[i] = roundBF16(c.random(rng))
	}
	for i := range b {
		b[i] = roundBF16(c.random(rng))
	}

	// Results lie as blocks of panels of halves of rows.
	cStride := 64 * (1 + c.gap)
	cSecond := c.rows*cStride + 64
	cPanel := cSecond + c.second*cStride + 128
	cNext := c.panels*cPanel + 64
	end := (c.times-1)*cNext + (c.panels-1)*cPanel + (c.rows-1)*cStride + 64
	if c.second > 0 {
		end += cSecond + (c.second-c.rows)*cStride
	}
	all := c.memory(end/4 + Lanes + c.after)
	for i := range all {
		all[i] = guard
	}
	out := all[Lanes : len(all)-c.after]
	config := amxConfig(c.rows, c.second)
	gemmAMX((*byte)(unsafe.Pointer(&a[0])), c.aStride, c.aSecond, c.aNext, &c.offsets[0], c.segments, (*byte)(unsafe.Pointer(&b[0])), c.bPanel, &out[0], cStride, cSecond, cPanel, cNext,
		c.rows, c.second, c.panels, c.times, &config[0])

	written := make([]bool, len(all))
	for t := range c.times {
		for half, n := range []int{c.rows, c.second} {
			for i := range n {
				for j := range 16 * c.panels {
					var want float32
					var exact, magnitude float64
					for s := range c.segments {
						row := a[(t*c.aNext+half*c.aSecond+i*c.aStride+c.offsets[s])/2:][:32]
						column := make([]uint16, 32)
						for k := range column {
							column[k] = b[j/16*c.bPanel/2+s*512+k/2*32+j%16*2+k%2]
							product := widened(row[k]) * widened(column[k])
							exact += product
							magnitude += math.Abs(product)
						}
						want = amxtest.Dot(want, row, column)
					}
					at := (t*cNext+half*cSecond+i*cStride+j/16*cPanel)/4 + j%16
					got := out[at]
					written[at+Lanes] = true
					// Rounding each of the additions is within half a unit in the last place
					// of 24 bits; a sum meets at most segments + 33 of them.
					tolerance := magnitude*float64(c.segments+33)*0x1p-24 + 0x1p-126*float64(64*c.segments)
					if !(math.Abs(float64(got)-exact) <= tolerance) || emulated && math.Float32bits(got) != math.Float32bits(want) {
						return fmt.Errorf("time %d, half %d, row %d, output %d: got %v, want %v (exactly %v)", t, half, i, j, got, want, exact)
					}
				}
			}
		}
	}
	for i, v := range all {
		if !written[i] && v != guard {
			return fmt.Errorf("value %d of %d, outside of the results, is %v", i-Lanes, len(out), v)
		}
	}
	return nil
}

func maxOf(values []int) int {
	m := values[0]
	for _, v := range values {
		m = max(m, v)
	}
	return m
}

func widened(v uint16) float64 { return float64(math.Float32frombits(uint32(v) << 16)) }

func normal(rng *rand.Rand) float32 { return float32(rng.NormFloat64()) }

// newAMXCase places the values at random.
func newAMXCase(rng *rand.Rand, rows, second, panels, segments, times int) amxCase {
	c := amxCase{rows: rows, second: second, panels: panels, segments: segments, times: times, random: normal,
		after: Lanes, memory: alignedFloats}
	c.aStride = 64 * (1 + rng.IntN(3))
	c.aSecond = 16 * c.aStride
	c.aNext = 64 * rng.IntN(40)
	for range segments {
		c.offsets = append(c.offsets, 64*rng.IntN(30))
	}
	c.bPanel = segments*1024 + 64*rng.IntN(3)
	c.gap = rng.IntN(2)
	return c
}

func TestGemmAMX(t *testing.T) {
	emulated := useAMX(t)
	rng := rand.New(rand.NewPCG(1, 2))
	before := amxtest.Count()
	for n := 1; n <= 16; n++ {
		for panels := 1; panels <= 2; panels++ {
			for _, rows := range [][2]int{{n, 0}, {16, n}, {n, 16}, {1 + rng.IntN(16), 1 + rng.IntN(16)}} {
				c := newAMXCase(rng, rows[0], rows[1], panels, 1+rng.IntN(5), 1+rng.IntN(3))
				if err := c.run(rng, emulated); err != nil {
					t.Fatalf("%+v: %v", c, err)
				}
			}
		}
	}
	for _, segments := range []int{1, 9, 40} {
		c := newAMXCase(rng, 16, 16, 2, segments, 3)
		c.aNext = 32 * c.aStride
		if err := c.run(rng, emulated); err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
	}
	// Tiles that overlap, and rows that are not aligned to cells.
	c := newAMXCase(rng, 16, 3, 2, 4, 2)
	c.aSecond, c.aStride, c.aNext, c.offsets = 34, 2, 6, []int{0, 2, 64, 10}
	if err := c.run(rng, emulated); err != nil {
		t.Fatalf("%+v: %v", c, err)
	}
	if n := amxtest.Configured(); n != 0 {
		t.Errorf("%d threads have configured tiles after the calls", n)
	}
	if n := amxtest.Count() - before; (n > 0) != emulated {
		t.Errorf("%d instructions were emulated", n)
	}
}

// TestGemmAMXDenormals has products at the lower end of the range: they are zero
// or normal, wherever the call finds MXCSR.
func TestGemmAMXDenormals(t *testing.T) {
	emulated := useAMX(t)
	rng := rand.New(rand.NewPCG(1, 2))
	for _, scale := range []float32{0x1p-63, 0x1p-60, 0x1p-126} {
		c := newAMXCase(rng, 16, 16, 2, 3, 2)
		c.random = func(rng *rand.Rand) float32 { return normal(rng) * scale }
		if err := c.run(rng, emulated); err != nil {
			t.Fatalf("scale %g: %v", scale, err)
		}
	}
}

// TestGemmAMXThreads runs calls on several threads while goroutines are
// preempted.
func TestGemmAMXThreads(t *testing.T) {
	emulated := useAMX(t)
	done := make(chan struct{})
	var work, load sync.WaitGroup
	load.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				runtime.GC() // stops the world, by signals
			}
		}
	})
	for g := range 4 {
		work.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(g), 2))
			for range 10 {
				if err := newAMXCase(rng, 1+rng.IntN(16), rng.IntN(17), 1+rng.IntN(2), 4, 3).run(rng, emulated); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	work.Wait()
	close(done)
	load.Wait()
}

func TestAMXConfig(t *testing.T) {
	got := amxConfig(13, 0)
	want := [64]byte{0: 1, 16: 64, 18: 64, 24: 64, 28: 64, 30: 64, 48: 13, 49: 13, 52: 13, 54: 16, 55: 16}
	if got != want {
		t.Errorf("got % x, want % x", got, want)
	}
}

// TestRequestAMX holds the answer against Linux's list.
func TestRequestAMX(t *testing.T) {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Skip(err)
	}
	for _, flag := range []string{" amx_tile", " amx_bf16"} {
		if requestAMX() && !bytes.Contains(info, []byte(flag)) {
			t.Errorf("AMX was permitted on a machine without%s", flag)
		}
	}
}

// TestAMXEncodings compares the bytes of every AMX instruction in the generated
// assembly with what the GNU assembler makes of the comment above it.
func TestAMXEncodings(t *testing.T) {
	for _, tool := range []string{"as", "objcopy"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	source, err := os.ReadFile("kernel_amx_amd64.s")
	if err != nil {
		t.Fatal(err)
	}
	instruction := regexp.MustCompile(`(?m)^\t// ((?:tile|tdp|ldtile).*)\n((?:\t(?:LONG|WORD|BYTE) +\$0x[0-9a-f]+\n)+)`)
	datum := regexp.MustCompile(`(LONG|WORD|BYTE) +\$0x([0-9a-f]+)`)
	found := instruction.FindAllStringSubmatch(string(source), -1)
	if n := strings.Count(string(source), "LONG"); len(found) != n || n < 20 {
		t.Fatalf("%d instructions with a text, %d in all", len(found), n)
	}
	var text strings.Builder
	var want []byte
	for _, m := range found {
		text.WriteString(m[1] + "\n")
		for _, d := range datum.FindAllStringSubmatch(m[2], -1) {
			value, err := hex.DecodeString(fmt.Sprintf("%016s", d[2]))
			if err != nil {
				t.Fatal(err)
			}
			size := map[string]int{"LONG": 4, "WORD": 2, "BYTE": 1}[d[1]]
			want = append(want, binary.LittleEndian.AppendUint64(nil, binary.BigEndian.Uint64(value))[:size]...)
		}
	}
	dir := t.TempDir()
	object, code := filepath.Join(dir, "a.o"), filepath.Join(dir, "a.bin")
	assemble := exec.Command("as", "-o", object, "-")
	assemble.Stdin = strings.NewReader(text.String())
	if out, err := assemble.CombinedOutput(); err != nil {
		t.Skipf("the assembler does not know AMX: %v\n%s", err, out)
	}
	if out, err := exec.Command("objcopy", "-O", "binary", "-j", ".text", object, code).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got, err := os.ReadFile(code)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the assembler makes\n% x of\n%s, the generator\n% x", got, text.String(), want)
	}
}
