//go:build cgo && unix

package gpu

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"slices"
	"strings"
	"testing"

	"repvgg/internal/gpu/cuda"
)

// realCompiler is NVRTC. Without it the test is skipped, or with
// REPVGG_REQUIRE_NVRTC fails.
func realCompiler(t *testing.T) *cuda.Compiler {
	t.Helper()
	env := cuda.HostEnvironment()
	cuda.Preload(env)
	c, err := cuda.OpenCompiler(env, 13000)
	if err == nil {
		return c
	}
	if os.Getenv("REPVGG_REQUIRE_NVRTC") != "" {
		t.Fatal(err)
	}
	t.Skipf("the kernels are not compiled for a GPU: %v", err)
	return nil
}

// TestCompiling compiles the kernels for GPUs from Turing to Hopper. NVRTC 11.8 to 13
// know all of these. No GPU is needed.
func TestCompiling(t *testing.T) {
	c := realCompiler(t)
	for _, capability := range []string{"75", "80", "86", "89", "90"} {
		for _, p := range []precision{fp32, fp16, bf16} {
			t.Run("sm_"+capability+"/"+p.String(), func(t *testing.T) {
				code, err := c.Compile(kernelSource, "kernels.cu", compileOptions(p, capability))
				if err != nil {
					t.Fatal(err)
				}
				checkCode(t, code)
			})
		}
	}
}

// checkCode checks machine code: it has all kernels under their names, and none uses
// local memory, as a kernel does that lacks registers.
func checkCode(t *testing.T, code []byte) {
	t.Helper()
	file, symbols := parseCode(t, code)
	frames := frameSizes(file, symbols)
	for _, name := range kernelNames {
		if !slices.ContainsFunc(symbols, func(s elf.Symbol) bool { return s.Name == name }) || file.Section(".text."+name) == nil {
			t.Errorf("no kernel %s", name)
		}
		if size := frames[name]; size != 0 {
			t.Errorf("%s uses %d bytes of local memory", name, size)
		}
	}
}

// parseCode reads machine code, which is an ELF file. Only the version in it is the
// compiler's and not ELF's.
func parseCode(t *testing.T, code []byte) (*elf.File, []elf.Symbol) {
	t.Helper()
	const version, machine = 20, 190 // e_version, EM_CUDA
	if len(code) < 64 {
		t.Fatalf("%d bytes of code", len(code))
	}
	code = bytes.Clone(code)
	binary.LittleEndian.PutUint32(code[version:], uint32(elf.EV_CURRENT))
	file, err := elf.NewFile(bytes.NewReader(code))
	if err != nil {
		t.Fatal(err)
	}
	if file.Machine != machine {
		t.Fatalf("code for %v", file.Machine)
	}
	symbols, err := file.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	return file, symbols
}

// frameSizes are the bytes of local memory of a thread, by kernel, as cuobjdump -elf
// shows them. The section .nv.info has records of a format, a kind and a value of 16
// bits, which for format 4 is the size of the data that follows.
func frameSizes(file *elf.File, symbols []elf.Symbol) map[string]uint32 {
	const sized, frame = 4, 0x11 // EIFMT_SVAL, EIATTR_FRAME_SIZE
	sizes := make(map[string]uint32)
	info := file.Section(".nv.info")
	if info == nil {
		return sizes
	}
	data, err := info.Data()
	for err == nil && len(data) >= 4 {
		format, kind, n := data[0], data[1], 0
		if format == sized {
			n = int(binary.LittleEndian.Uint16(data[2:]))
		}
		if len(data) < 4+n {
			break
		}
		if kind == frame && n == 8 {
			// elf leaves out the symbol 0.
			if i := int(binary.LittleEndian.Uint32(data[4:])) - 1; i >= 0 && i < len(symbols) {
				sizes[symbols[i].Name] = binary.LittleEndian.Uint32(data[8:])
			}
		}
		data = data[4+n:]
	}
	return sizes
}

// TestFrameSizes: the test above would see a kernel that needs local memory.
func TestFrameSizes(t *testing.T) {
	c := realCompiler(t)
	const source = `extern "C" __global__ void indexed(int *p, int n)
{
	int a[256];
	for (int i = 0; i < n; i++)
		a[p[i] & 255] = i;
	for (int i = 0; i < n; i++)
		p[i] = a[p[i] & 255];
}
extern "C" __global__ void plain(int *p) { *p = 1; }`
	code, err := c.Compile(source, "kernels.cu", compileOptions(fp32, "80"))
	if err != nil {
		t.Fatal(err)
	}
	frames := frameSizes(parseCode(t, code))
	if frames["indexed"] < 1024 || frames["plain"] != 0 {
		t.Errorf("got %v", frames)
	}
}

// TestCompilingFailure: the error has the compiler's messages, in one line.
func TestCompilingFailure(t *testing.T) {
	c := realCompiler(t)
	for _, test := range []struct{ source, capability, want string }{
		{"__global__ void broken() { missing(); }", "80", `identifier "missing" is undefined`},
		{kernelSource, "1", "invalid value for --gpu-architecture"},
	} {
		_, err := c.Compile(test.source, "kernels.cu", compileOptions(fp32, test.capability))
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %v, want %q", err, test.want)
		}
	}
}
