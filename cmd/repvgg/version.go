package main

import (
	"cmp"
	"fmt"
	"io"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"repvgg/internal/app"
	"repvgg/internal/bench"
	"repvgg/internal/cpu"
	"repvgg/internal/gpu/cuda"
	"repvgg/internal/jpeg"
	"repvgg/internal/table"
)

// versionFormats are the values of --format, the default first.
var versionFormats = []string{"text", "json"}

func newVersionCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version, the kernels in use and the libraries found",
		Long: `Version prints the program's version and commit, the processor features that
matter, the kernels in use, and which libraries were found: libjpeg-turbo (without
it, JPEG files are decoded in Go) and those that --device cuda needs. Include this
output in a bug report.

No GPU is started: even if all libraries are found, there may be no GPU.`,
		Example: `  repvgg version
  repvgg version --format json | jq -r .libraries.cudnn.error`,
		Args: namedArgs,
		RunE: withSettings(func(cmd *cobra.Command, s *formatSettings, _ []string) error {
			if err := checkChoice("format", s.Format, versionFormats); err != nil {
				return err
			}
			return writeVersion(cmd.OutOrStdout(), s.Format)
		}),
	}
	addChoice(cmd, "format", versionFormats, "output format")
	return cmd
}

// build is what version prints. Unknown values are nil.
type build struct {
	Version string `json:"version"`
	// Commit is recorded in programs that were built inside a repository. Modified is
	// true if the files differed from the commit.
	Commit     *string `json:"commit"`
	CommitTime *string `json:"commit_time"`
	Modified   *bool   `json:"modified"`
	Go         string  `json:"go_version"`
	OS         string  `json:"os"`
	Arch       string  `json:"arch"`
	CGO        bool    `json:"cgo"`
	CPU        string  `json:"cpu_model"`
	Cores      int     `json:"cpu_cores"`
	// Features, Kernels and Precisions are the same as in a bench report.
	Features   []string `json:"cpu_features"`
	Kernels    string   `json:"cpu_kernels"`
	Precisions []string `json:"cpu_precisions"`
	Libraries  struct {
		JPEG   library `json:"libjpeg_turbo"`
		Driver library `json:"cuda_driver"`
		NVRTC  library `json:"nvrtc"`
		CUDNN  library `json:"cudnn"`
	} `json:"libraries"`
}

// library is a library that is loaded at run time: its path, or the reason why it
// can't be used.
type library struct {
	Path    *string `json:"path"`
	Version *string `json:"version"`
	Error   *string `json:"error"`
}

// version returns the version of the module, as the Go toolchain recorded it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return cmp.Or(info.Main.Version, "unknown")
}

func writeVersion(w io.Writer, format string) error {
	b := thisBuild()
	if format == "json" {
		return table.WriteJSON(w, b)
	}
	return b.table().WriteText(w, 0, 2)
}

func thisBuild() *build {
	machine := bench.ThisMachine()
	b := &build{
		Version: version(), Go: machine.Go, OS: machine.OS, Arch: machine.Arch,
		CPU: machine.CPU, Cores: machine.Cores, Features: machine.Features, Kernels: app.Kernels(),
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			b.set(s.Key, s.Value)
		}
	}
	for _, p := range cpu.Precisions() {
		if cpu.Supported(p) == nil {
			b.Precisions = append(b.Precisions, p.String())
		}
	}
	name, ok := jpeg.Library()
	if ok {
		b.Libraries.JPEG.Path = &name
	} else {
		b.Libraries.JPEG.Error = &name
	}
	found := cuda.FindLibraries(cuda.HostEnvironment())
	b.Libraries.Driver = foundLibrary(found.Driver)
	b.Libraries.NVRTC = foundLibrary(found.NVRTC)
	b.Libraries.CUDNN = foundLibrary(found.CUDNN)
	return b
}

// set stores one build setting, named as in the output of go version -m.
func (b *build) set(key, value string) {
	switch key {
	case "CGO_ENABLED":
		b.CGO = value == "1"
	case "vcs.revision":
		b.Commit = &value
	case "vcs.time":
		b.CommitTime = &value
	case "vcs.modified":
		modified := value == "true"
		b.Modified = &modified
	}
}

func foundLibrary(f cuda.Found) library {
	var l library
	if f.Err != nil {
		reason := oneLine(f.Err.Error())
		l.Error = &reason
		return l
	}
	l.Path = &f.Path
	if f.Version != "" {
		l.Version = &f.Version
	}
	return l
}

// table has a line for each property: its name, then its value.
func (b *build) table() *table.Table {
	commit := "not recorded in this build"
	if b.Commit != nil {
		commit = *b.Commit
		if b.CommitTime != nil {
			commit += " of " + *b.CommitTime
		}
		if b.Modified != nil && *b.Modified {
			commit += ", modified"
		}
	}
	language := fmt.Sprintf("%s, %s/%s", b.Go, b.OS, b.Arch)
	if !b.CGO {
		language += ", without cgo"
	}
	t := &table.Table{Columns: make([]table.Column, 2)}
	for _, line := range [][2]string{
		{"version", b.Version},
		{"commit", commit},
		{"go", language},
		{"cpu", b.CPU},
		{"cores", strconv.Itoa(b.Cores)},
		{"features", cmp.Or(strings.Join(b.Features, " "), "-")},
		{"kernels", fmt.Sprintf("%s (%s)", b.Kernels, strings.Join(b.Precisions, ", "))},
		{"libjpeg-turbo", b.Libraries.JPEG.String()},
		{"CUDA driver", b.Libraries.Driver.String()},
		{"NVRTC", b.Libraries.NVRTC.String()},
		{"cuDNN", b.Libraries.CUDNN.String()},
	} {
		t.Add(table.Text(line[0]), table.Text(line[1]))
	}
	return t
}

func (l library) String() string {
	switch {
	case l.Error != nil:
		return "none: " + *l.Error
	case l.Version != nil:
		return fmt.Sprintf("%s (%s)", *l.Path, *l.Version)
	}
	return *l.Path
}
