package bench

import (
	"bytes"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/cpu"
)

// Machine describes the machine and the program of a report. Missing or unknown
// values are nil.
type Machine struct {
	// Time is when the measurement began, in RFC 3339.
	Time   string `json:"time"`
	Repvgg string `json:"repvgg_version"`
	Go     string `json:"go_version"`
	OS     string `json:"os"`
	Arch   string `json:"arch"`
	CPU    string `json:"cpu_model"`
	Cores  int    `json:"cpu_cores"`
	// Features are the processor features that kernels may use.
	Features []string `json:"cpu_features"`
	// Kernels is the variant of the CPU kernels that this machine uses.
	Kernels     string  `json:"cpu_kernels"`
	JPEGDecoder string  `json:"jpeg_decoder"`
	GPU         *string `json:"gpu"`
	GPUDriver   *string `json:"gpu_driver"`
	CUDNN       *string `json:"cudnn_version"`
}

// ThisMachine describes this machine, except for the fields that the caller must
// set: Time, Repvgg, Kernels, JPEGDecoder and the GPU.
func ThisMachine() Machine {
	m := Machine{
		Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH,
		CPU: "unknown", Cores: runtime.NumCPU(), Features: features(),
	}
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if model := cpuModel(info); model != "" {
			m.CPU = model
		}
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		m.Repvgg = info.Main.Version
	}
	return m
}

// cpuModel finds the processor's name in /proc/cpuinfo.
func cpuModel(info []byte) string {
	for line := range bytes.Lines(info) {
		key, value, ok := strings.Cut(string(line), ":")
		if ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// features returns the processor features that make convolutions faster.
func features() []string {
	names := []string{} // so that JSON has [], not null
	for _, f := range []struct {
		name string
		has  bool
	}{
		{"avx", cpu.X86.HasAVX}, {"avx2", cpu.X86.HasAVX2}, {"fma", cpu.X86.HasFMA},
		{"avx512f", cpu.X86.HasAVX512F}, {"avx512bw", cpu.X86.HasAVX512BW}, {"avx512dq", cpu.X86.HasAVX512DQ},
		{"avx512vl", cpu.X86.HasAVX512VL}, {"avx512bf16", cpu.X86.HasAVX512F && cpu.X86.HasAVX512BF16},
		{"amx_bf16", cpu.X86.HasAMXBF16}, {"asimd", cpu.ARM64.HasASIMD}, {"sve", cpu.ARM64.HasSVE},
	} {
		if f.has {
			names = append(names, f.name)
		}
	}
	return names
}
