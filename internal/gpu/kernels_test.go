package gpu

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestKernelsOnHost compiles the kernels as C++ and compares them with plain loops;
// see testdata/host_kernels.cpp.
func TestKernelsOnHost(t *testing.T) {
	cxx, err := exec.LookPath("g++")
	if err != nil {
		t.Skip("no g++ to compile the kernels with")
	}
	for _, p := range []precision{fp32, fp16, bf16} {
		t.Run(p.String(), func(t *testing.T) {
			program := filepath.Join(t.TempDir(), "kernels")
			args := []string{"-std=c++17", "-O1", "-Wall", "-Wno-unknown-pragmas", "-Wno-maybe-uninitialized", "-Werror", "-DREPVGG_HOST", "-I.", "-o", program}
			for _, o := range compileOptions(p, "90") {
				if strings.HasPrefix(o, "-D") {
					args = append(args, o)
				}
			}
			args = append(args, filepath.Join("testdata", "host_kernels.cpp"))
			if out, err := exec.Command(cxx, args...).CombinedOutput(); err != nil {
				t.Fatalf("compiling: %v\n%s", err, out)
			}
			if out, err := exec.Command(program).CombinedOutput(); err != nil || string(out) != "ok\n" {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// TestKernelNames: Go and CUDA have the same kernels and constants.
func TestKernelNames(t *testing.T) {
	var found []string
	for _, m := range regexp.MustCompile(`extern "C" __global__ void (\w+)\(`).FindAllStringSubmatch(kernelSource, -1) {
		found = append(found, m[1])
	}
	want := slices.Clone(kernelNames[:])
	slices.Sort(found)
	slices.Sort(want)
	if !slices.Equal(found, want) {
		t.Errorf("kernels.cu has %q, kernels.go %q", found, want)
	}
	for name, want := range map[string]int{"POOL_X": poolX, "POOL_Y": poolY, "LINEAR_WARPS": linearWarps, "LINEAR_IMAGES": linearImages, "LINEAR_ROWS": linearRowsPerWarp} {
		m := regexp.MustCompile(name + ` = (\d+)`).FindStringSubmatch(kernelSource)
		if m == nil || m[1] != strconv.Itoa(want) {
			t.Errorf("%s is %v in kernels.cu, %d in kernels.go", name, m, want)
		}
	}
}

// TestKernelArguments: no kernel has more parameters than a launch can take.
func TestKernelArguments(t *testing.T) {
	for _, m := range regexp.MustCompile(`extern "C" __global__ void (\w+)\(([^)]*)\)`).FindAllStringSubmatch(kernelSource, -1) {
		if n := strings.Count(m[2], ",") + 1; n > 24 {
			t.Errorf("%s has %d parameters", m[1], n)
		}
	}
}
