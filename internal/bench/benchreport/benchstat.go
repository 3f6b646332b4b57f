package benchreport

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"repvgg/internal/bench"
)

// writeBenchstat writes Go's benchmark format, for benchstat of golang.org/x/perf.
// Each round's median gets a line, so that benchstat has several samples. Rows that
// were not measured have no lines.
func writeBenchstat(out io.Writer, r *bench.Report) error {
	w := bufio.NewWriter(out)
	m := &r.Machine
	fmt.Fprintf(w, "goos: %s\ngoarch: %s\npkg: repvgg\ncpu: %s\nkernels: %s\njpeg: %s\ngo: %s\nweights: %s\n", m.OS, m.Arch, m.CPU, m.Kernels, m.JPEGDecoder, m.Go, weights(r))
	names := benchNames(r)
	for i := range r.Rows {
		row := &r.Rows[i]
		name := fmt.Sprintf("Benchmark%s/form=%s/device=%s/precision=%s/batch=%d/size=%d-%d",
			names[row.Variant], row.Form, row.Device, row.Precision, row.BatchSize, row.InputSize, row.Threads)
		runs := max(1, row.Runs/max(1, len(row.LatencyMSRounds)))
		for _, ms := range row.LatencyMSRounds {
			perSecond := float64(row.BatchSize) / ms * 1e3
			fmt.Fprintf(w, "%s\t%d\t%.0f ns/op\t%.4g images/s\t%.4g GFLOP/s\n", name, runs, ms*1e6, perSecond, 2*row.MACsGiga*perSecond)
		}
	}
	for _, n := range notes(r) {
		fmt.Fprintf(w, "note: %s\n", n)
	}
	return w.Flush()
}

// benchNames returns a unique benchmark name for each variant.
func benchNames(r *bench.Report) map[string]string {
	names := make(map[string]string)
	taken := make(map[string]bool)
	for i := range r.Rows {
		variant := r.Rows[i].Variant
		if names[variant] != "" {
			continue
		}
		first := benchName(variant)
		name := first
		for n := 2; taken[name]; n++ {
			name = fmt.Sprintf("%s_%d", first, n)
		}
		names[variant], taken[name] = name, true
	}
	return names
}

// benchName turns a name into one that is valid in Go's benchmark format: without
// spaces, slashes or dashes, and with a capital first.
func benchName(name string) string {
	name = strings.Map(func(r rune) rune {
		if r <= ' ' || r == '/' || r == '-' {
			return '_'
		}
		return r
	}, name)
	first, size := utf8.DecodeRuneInString(name)
	return string(unicode.ToUpper(first)) + name[size:]
}
