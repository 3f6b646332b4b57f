//go:build cgo && linux && amd64

package amxtest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// The numbers of emulator.h's operations.
const (
	ldtilecfg = iota
	sttilecfg
	tilerelease
	tilezero
	tileloadd
	tilestored
	tdpbf16ps
)

// configure fills in a configuration: rows and bytes of a row by tile.
func configure(tiles map[int][2]int) *[64]byte {
	var c [64]byte
	c[0] = 1
	for t, size := range tiles {
		binary.LittleEndian.PutUint16(c[16+2*t:], uint16(size[1]))
		c[48+t] = byte(size[0])
	}
	return &c
}

// TestDecode decodes what the system's assembler made of every form of operand.
func TestDecode(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	all := forms()
	if len(all) < 3000 {
		t.Fatalf("only %d forms", len(all))
	}
	seen := map[int]int{}
	for _, f := range all {
		var registers [17]uint64
		for i := range registers {
			registers[i] = rng.Uint64()
		}
		want := operand{operation: f.operation, length: len(f.code), tiles: f.tiles}
		if f.operation != tilerelease && f.operation != tilezero && f.operation != tdpbf16ps {
			want.address = uint64(f.displacing)
			switch {
			case f.base == 16:
				want.address += registers[16] + uint64(len(f.code))
			case f.base >= 0:
				want.address += registers[f.base]
			}
			if f.index >= 0 {
				scaled := registers[f.index] * uint64(f.scale)
				if f.operation == tileloadd || f.operation == tilestored {
					want.stride = int64(scaled)
				} else {
					want.address += scaled
				}
			}
		}
		got, o := decode(f.code, &registers)
		if o != done || got != want {
			t.Fatalf("% x: outcome %d, got %+v, want %+v", f.code, o, got, want)
		}
		seen[f.operation]++
	}
	for o := range tdpbf16ps + 1 {
		if seen[o] == 0 {
			t.Errorf("no form of operation %d", o)
		}
	}
}

// TestDecodeOthers decodes what is no AMX instruction, or an undefined one.
func TestDecodeOthers(t *testing.T) {
	for _, c := range []struct {
		code string
		want outcome
	}{
		{"\x0f\x0b\x90\x90\x90\x90", foreign},     // ud2
		{"\xc4\xe2\x79\x13\xc0\x90", foreign},     // vcvtph2ps
		{"\xc4\xe1\x7b\x4b\x04\x08", foreign},     // another map of opcodes
		{"\xc4\xe2\xfb\x4b\x04\x08", foreign},     // W
		{"\xc4\xe2\x7f\x4b\x04\x08", foreign},     // L
		{"\xc4\xe2\x78\x4b\x04\x08", foreign},     // no prefix
		{"\xc4\xe2\x7b\x4b\xc4\x90", foreign},     // a register for memory
		{"\xc4\xe2\x7b\x4b\x00\x90", undefined},   // tileloadd without SIB
		{"\xc4\xe2\x73\x4b\x04\x08", undefined},   // tileloadd with vvvv
		{"\xc4\x62\x7b\x4b\x04\x08", undefined},   // tileloadd to tile 8
		{"\xc4\x62\x7b\x49\xc0\x90", undefined},   // tilezero of tile 8
		{"\xc4\xe2\x70\x49\xc0\x90", undefined},   // tilerelease with vvvv
		{"\xc4\xe2\x78\x49\x48\x00", foreign},     // ldtilecfg's opcode with reg 1
		{"\xc4\xe2\x72\x5c\xc2\x90", done},        // tdpbf16ps 1, 2, 0
		{"\xc4\xe2\x72\x5c\xc1\x90", undefined},   // with 1 twice
		{"\xc4\xe2\x32\x5c\xc2\x90", undefined},   // with tile 9
		{"\xc4\xc2\x72\x5c\xc2\x90", undefined},   // with tile 10
		{"\xc4\xe2\x71\x5c\xc2\x90", foreign},     // no bf16
		{"\xc4\xe2\x72\x5c\x04\x08\x90", foreign}, // from memory
	} {
		var registers [17]uint64
		if _, o := decode([]byte(c.code), &registers); o != c.want {
			t.Errorf("% x: outcome %d, want %d", c.code, o, c.want)
		}
	}
}

func TestConfiguration(t *testing.T) {
	good := func() *[64]byte { return configure(map[int][2]int{0: {16, 64}, 3: {1, 4}, 7: {5, 63}}) }
	for _, c := range []struct {
		name   string
		change func(c *[64]byte)
		want   outcome
	}{
		{"good", func(*[64]byte) {}, done},
		{"start row", func(c *[64]byte) { c[1] = 3 }, done},
		{"palette 2", func(c *[64]byte) { c[0] = 2 }, protected},
		{"reserved", func(c *[64]byte) { c[15] = 1 }, protected},
		{"tile 8's bytes", func(c *[64]byte) { c[32] = 4 }, protected},
		{"tile 8's rows", func(c *[64]byte) { c[56] = 4 }, protected},
		{"last byte", func(c *[64]byte) { c[63] = 1 }, protected},
		{"65 bytes", func(c *[64]byte) { c[16] = 65 }, protected},
		{"320 bytes", func(c *[64]byte) { c[17] = 1 }, protected},
		{"17 rows", func(c *[64]byte) { c[48] = 17 }, protected},
		{"rows without bytes", func(c *[64]byte) { c[49] = 1 }, protected},
		{"bytes without rows", func(c *[64]byte) { c[18] = 4 }, protected},
	} {
		t.Run(c.name, func(t *testing.T) {
			var m machine
			config := good()
			c.change(config)
			sent := *config
			if o := m.execute(ldtilecfg, config); o != c.want {
				t.Fatalf("outcome %d, want %d", o, c.want)
			}
			var stored, zero [64]byte
			if o := m.execute(sttilecfg, &stored); o != done {
				t.Fatalf("storing: outcome %d", o)
			}
			switch {
			case c.want != done && stored != zero:
				t.Errorf("a refused configuration was kept: % x", stored)
			case c.want == done && stored != sent:
				t.Errorf("stored % x, want % x", stored, sent)
			}
			for tile := range 8 {
				want := undefined
				if c.want == done && sent[48+tile] != 0 {
					want = done
				}
				if o := m.execute(tilezero, nil, tile); o != want {
					t.Errorf("zeroing tile %d: outcome %d, want %d", tile, o, want)
				}
			}
			if m.execute(sttilecfg, &stored); stored[1] != 0 {
				t.Error("the start row stays after an instruction")
			}
			if o := m.execute(ldtilecfg, &zero); o != done || m.execute(tilezero, nil, 0) != undefined {
				t.Error("palette 0 does not take the configuration away")
			}
			m.execute(ldtilecfg, good())
			if o := m.execute(tilerelease, nil); o != done || m.execute(tilezero, nil, 0) != undefined {
				t.Error("TILERELEASE does not take the configuration away")
			}
		})
	}
}

// TestShapes checks which tiles may be multiplied.
func TestShapes(t *testing.T) {
	for _, c := range []struct {
		dst, a, b [2]int // rows, bytes
		want      outcome
	}{
		{[2]int{16, 64}, [2]int{16, 64}, [2]int{16, 64}, done},
		{[2]int{3, 20}, [2]int{3, 28}, [2]int{7, 20}, done},
		{[2]int{4, 20}, [2]int{3, 28}, [2]int{7, 20}, undefined},
		{[2]int{3, 24}, [2]int{3, 28}, [2]int{7, 20}, undefined},
		{[2]int{3, 20}, [2]int{3, 24}, [2]int{7, 20}, undefined},
		{[2]int{3, 20}, [2]int{3, 30}, [2]int{7, 20}, undefined},
		{[2]int{3, 22}, [2]int{3, 28}, [2]int{7, 22}, undefined},
		{[2]int{0, 0}, [2]int{3, 28}, [2]int{7, 20}, undefined},
		{[2]int{3, 20}, [2]int{0, 0}, [2]int{7, 20}, undefined},
		{[2]int{3, 20}, [2]int{3, 28}, [2]int{0, 0}, undefined},
	} {
		var m machine
		if o := m.execute(ldtilecfg, configure(map[int][2]int{2: c.dst, 4: c.a, 6: c.b})); o != done {
			t.Fatal(o)
		}
		if o := m.execute(tdpbf16ps, nil, 2, 4, 6); o != c.want {
			t.Errorf("%+v: outcome %d", c, o)
		}
	}
}

func install(t *testing.T) {
	t.Helper()
	restore, err := Install()
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(restore)
}

// TestCopy loads tiles of every size and stores them.
func TestCopy(t *testing.T) {
	install(t)
	from := make([]byte, 16*128)
	for i := range from {
		from[i] = byte(1 + i%251)
	}
	for rows := 1; rows <= 16; rows++ {
		for size := 1; size <= 64; size++ {
			const stride = 80
			var to, want [4096]byte
			for i := range to {
				to[i], want[i] = 0xee, 0xee
			}
			for i := range rows {
				copy(want[i*stride:], from[i*stride:][:size])
				clear(want[2048+i*stride:][:size])
			}
			runCopy(configure(map[int][2]int{3: {rows, size}}), from, stride, &to)
			if to != want {
				t.Fatalf("a tile of %d rows of %d bytes is stored wrongly", rows, size)
			}
		}
	}
}

// value is a bfloat16 of a kind that makes products of a kind.
func value(rng *rand.Rand, kind int) uint16 {
	switch kind {
	case 0: // sums round
		return uint16(math.Float32bits(float32(rng.NormFloat64())) >> 16)
	case 1: // products underflow, some to denormals
		return uint16(math.Float32bits(float32(rng.NormFloat64())*0x1p-63) >> 16)
	case 2: // any bits: denormals, overflow, infinities and NaN
		return uint16(rng.Uint32())
	default: // denormals times large numbers
		if rng.IntN(2) == 0 {
			return uint16(rng.IntN(0x80) | rng.IntN(2)<<15)
		}
		return uint16(math.Float32bits(float32(rng.NormFloat64())*0x1p100) >> 16)
	}
}

func sameFloat(a, b float32) bool {
	return math.Float32bits(a) == math.Float32bits(b) || a != a && b != b
}

// product multiplies random tiles and compares with the model.
func product(rng *rand.Rand, variant, kind, rows, pairs, columns int) error {
	tiles := [][3]int{{1, 2, 0}, {7, 6, 5}, {3, 0, 4}}[variant]
	a, b := make([]uint16, 512), make([]uint16, 512)
	c, want := make([]float32, 256), make([]float32, 256)
	for i := range a {
		a[i], b[i] = value(rng, kind), value(rng, kind)
	}
	for i := range c {
		c[i] = widen(value(rng, kind))
		want[i] = c[i]
	}
	for m := range rows {
		for n := range columns {
			column := make([]uint16, 2*pairs)
			for k := range column {
				column[k] = b[k/2*32+2*n+k%2]
			}
			want[m*16+n] = Dot(c[m*16+n], a[m*32:][:2*pairs], column)
		}
	}
	config := configure(map[int][2]int{tiles[0]: {rows, 4 * pairs}, tiles[1]: {pairs, 4 * columns}, tiles[2]: {rows, 4 * columns}})
	var stored [64]byte
	before, after := runProduct(variant, config, a, b, c, &stored)
	for i := range c {
		if !sameFloat(c[i], want[i]) {
			return fmt.Errorf("variant %d, kind %d, %d x %d x %d: element %d, %d is %v, want %v", variant, kind, rows, pairs, columns,
				i/16, i%16, c[i], want[i])
		}
	}
	if stored != *config {
		return fmt.Errorf("the configuration is % x, was % x", stored, *config)
	}
	if before != after {
		return fmt.Errorf("MXCSR changed from %#x to %#x", before, after)
	}
	return nil
}

func TestProduct(t *testing.T) {
	install(t)
	rng := rand.New(rand.NewPCG(1, 2))
	before := Count()
	for kind := range 4 {
		for i := range 300 {
			rows, pairs, columns := 16, 16, 16
			if i%4 != 0 {
				rows, pairs, columns = 1+rng.IntN(16), 1+rng.IntN(16), 1+rng.IntN(16)
			}
			if err := product(rng, i%3, kind, rows, pairs, columns); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("%d instructions were emulated", Count()-before)
	if n := Configured(); n != 0 {
		t.Errorf("%d threads have configured tiles", n)
	}
}

// TestSignals runs products on several threads beside the signals of Go's
// preemption and profiler, and of others.
func TestSignals(t *testing.T) {
	install(t)
	if err := pprof.StartCPUProfile(new(bytes.Buffer)); err == nil {
		defer pprof.StopCPUProfile()
	}
	done := make(chan struct{})
	var storm, work sync.WaitGroup
	storm.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				syscall.Kill(syscall.Getpid(), syscall.SIGURG)
				runtime.GC()
			}
		}
	})
	for g := range 4 {
		work.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(g), 3))
			for range 100 {
				if err := product(rng, g%3, 0, 16, 16, 16); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	work.Wait()
	close(done)
	storm.Wait()
}

func TestInstallTwice(t *testing.T) {
	install(t)
	again, err := Install()
	if err != nil {
		t.Fatal(err)
	}
	again()
	again()
	rng := rand.New(rand.NewPCG(1, 2))
	if err := product(rng, 0, 0, 16, 16, 16); err != nil {
		t.Error(err)
	}
}

// TestFatal runs what must end a program as without the emulator.
func TestFatal(t *testing.T) {
	const variable = "REPVGG_AMXTEST_FATAL"
	run := map[string]func(){
		"ud2":          runUD2,
		"unconfigured": runUnconfigured,
		"sent":         func() { syscall.Kill(syscall.Getpid(), syscall.SIGILL); select {} },
		"restored": func() {
			restore, err := Install()
			if err != nil {
				panic(err)
			}
			restore()
			uninstallAll()
			product(rand.New(rand.NewPCG(1, 2)), 0, 0, 16, 16, 16)
		},
	}
	if name := os.Getenv(variable); name != "" {
		install(t)
		run[name]()
		return
	}
	for name := range run {
		t.Run(name, func(t *testing.T) {
			if name == "restored" && strings.Contains(cpuFlags(t), "amx_tile") {
				t.Skip("the processor has AMX")
			}
			cmd := exec.Command(os.Args[0], "-test.run=^TestFatal$")
			cmd.Env = append(os.Environ(), variable+"="+name)
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || !bytes.Contains(out, []byte("SIGILL: illegal instruction")) {
				t.Errorf("the program ended with %v and wrote\n%s", err, out)
			}
		})
	}
}

// uninstallAll takes the handler away from every user.
func uninstallAll() {
	for installed.users > 0 {
		uninstall()
	}
}

func cpuFlags(t *testing.T) string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Fatal(err)
	}
	return string(info)
}
