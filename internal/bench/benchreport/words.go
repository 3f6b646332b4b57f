package benchreport

import (
	"fmt"
	"slices"
	"strings"

	"repvgg/internal/bench"
)

// bySetting groups the rows by their setting, in order.
func bySetting(r *bench.Report) [][]*bench.Row {
	var groups [][]*bench.Row
	for i := range r.Rows {
		row := &r.Rows[i]
		at := slices.IndexFunc(groups, func(g []*bench.Row) bool { return g[0].SameSetting(row) })
		if at < 0 {
			at = len(groups)
			groups = append(groups, nil)
		}
		groups[at] = append(groups[at], row)
	}
	return groups
}

// setting describes the setting of a row.
func setting(r *bench.Row) string {
	return fmt.Sprintf("%s, %s, batch %d, %s, %d x %d", r.Device, r.Precision, r.BatchSize, plural(r.Threads, "thread"), r.InputSize, r.InputSize)
}

// machineLines describes the machine in a few lines.
func machineLines(m *bench.Machine) []string {
	lines := []string{
		m.CPU + ", " + plural(m.Cores, "core") + ", kernels " + m.Kernels,
		"features " + strings.Join(m.Features, " "),
		m.OS + "/" + m.Arch + ", " + m.Go + ", repvgg " + m.Repvgg + ", JPEG " + m.JPEGDecoder,
	}
	if m.GPU != nil {
		lines = append(lines, *m.GPU+", driver "+orDash(m.GPUDriver)+", cuDNN "+orDash(m.CUDNN))
	}
	return append(lines, m.Time)
}

func orDash(s *string) string {
	if s == nil {
		return "-"
	}
	return *s
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// notes returns the rows' notes, each with the rows that it applies to.
func notes(r *bench.Report) []string {
	var order []string
	about := make(map[string][]string)
	for i := range r.Rows {
		for _, n := range r.Rows[i].Notes {
			if about[n] == nil {
				order = append(order, n)
			}
			if label := label(r, &r.Rows[i]); !slices.Contains(about[n], label) {
				about[n] = append(about[n], label)
			}
		}
	}
	notes := make([]string, len(order))
	for i, n := range order {
		notes[i] = strings.Join(about[n], "; ") + ": " + n
	}
	return notes
}

// label names a row. It includes the setting only if there are several.
func label(r *bench.Report, row *bench.Row) string {
	if first := &r.Rows[0]; slices.ContainsFunc(r.Rows, func(o bench.Row) bool { return !first.SameSetting(&o) }) {
		return row.Label()
	}
	return row.Variant + " " + row.Form
}

// weights says which weights the rows were measured with.
func weights(r *bench.Report) string {
	var names []string
	for i := range r.Rows {
		if w := r.Rows[i].Weights; !slices.Contains(names, w) {
			names = append(names, w)
		}
	}
	return strings.Join(names, ", ")
}

// about explains how to read the figures.
func about(r *bench.Report) string {
	const counted = "FLOPs are counted as the published table counts them."
	if !slices.ContainsFunc(r.Rows, func(row bench.Row) bool { return row.Measured() }) {
		return counted + " Nothing was measured."
	}
	single := ""
	if slices.ContainsFunc(r.Rows, func(row bench.Row) bool { return row.Measured() && row.LowLatency() }) {
		single = " On the CPU, a batch of 1 uses the algorithms that are fastest for single images, which round differently; larger batches do not."
	}
	return "Weights: " + weights(r) + ". Latencies are for a whole batch: the median and the 10th and 90th percentile of single runs. " +
		counted + " GFLOP/s counts two operations for each multiply-add of a direct convolution and of the head, " +
		"so an algorithm with fewer multiplications can exceed 100 % of the peak." + single
}
