package benchreport

import (
	"io"
	"strings"

	"repvgg/internal/bench"
	"repvgg/internal/table"
)

// csvColumns are the single-valued fields of a row, with their JSON names.
var csvColumns = []struct {
	name string
	cell func(r *bench.Row) table.Cell
}{
	{"config", func(r *bench.Row) table.Cell { return table.Text(r.Config) }},
	{"variant", func(r *bench.Row) table.Cell { return table.Text(r.Variant) }},
	{"form", func(r *bench.Row) table.Cell { return table.Text(r.Form) }},
	{"device", func(r *bench.Row) table.Cell { return table.Text(r.Device) }},
	{"kernels", func(r *bench.Row) table.Cell { return table.Text(r.Kernels) }},
	{"precision", func(r *bench.Row) table.Cell { return table.Text(r.Precision) }},
	{"batch_size", func(r *bench.Row) table.Cell { return table.Int(r.BatchSize) }},
	{"threads", func(r *bench.Row) table.Cell { return table.Int(r.Threads) }},
	{"input_size", func(r *bench.Row) table.Cell { return table.Int(r.InputSize) }},
	{"weights", func(r *bench.Row) table.Cell { return table.Text(r.Weights) }},
	{"params_millions", func(r *bench.Row) table.Cell { return table.Float(r.ParamsMillions) }},
	{"flops_giga", func(r *bench.Row) table.Cell { return table.Float(r.FLOPsGiga) }},
	{"macs_giga", func(r *bench.Row) table.Cell { return table.Float(r.MACsGiga) }},
	{"published_top1_percent", func(r *bench.Row) table.Cell { return exact(r.PublishedTop1Percent) }},
	{"published_top5_percent", func(r *bench.Row) table.Cell { return exact(r.PublishedTop5Percent) }},
	{"latency_ms_median", func(r *bench.Row) table.Cell { return exact(r.LatencyMSMedian) }},
	{"latency_ms_p10", func(r *bench.Row) table.Cell { return exact(r.LatencyMSP10) }},
	{"latency_ms_p90", func(r *bench.Row) table.Cell { return exact(r.LatencyMSP90) }},
	{"queued_ms_median", func(r *bench.Row) table.Cell { return exact(r.QueuedMSMedian) }},
	{"images_per_second", func(r *bench.Row) table.Cell { return exact(r.ImagesPerSecond) }},
	{"gflops_per_second", func(r *bench.Row) table.Cell { return exact(r.GFLOPSPerSecond) }},
	{"peak_gflops_per_second", func(r *bench.Row) table.Cell { return exact(r.PeakGFLOPSPerSecond) }},
	{"peak_share", func(r *bench.Row) table.Cell { return exact(r.PeakShare) }},
	{"packed_weights_mb", func(r *bench.Row) table.Cell { return exact(r.PackedWeightsMB) }},
	{"peak_memory_mb", func(r *bench.Row) table.Cell { return exact(r.PeakMemoryMB) }},
	{"speedup_over_train", func(r *bench.Row) table.Cell { return exact(r.SpeedupOverTrain) }},
	{"runs", func(r *bench.Row) table.Cell { return table.Int(r.Runs) }},
	{"warmup_runs", func(r *bench.Row) table.Cell { return table.Int(r.WarmupRuns) }},
	{"spread_share", func(r *bench.Row) table.Cell { return exact(r.SpreadShare) }},
	{"drift_share", func(r *bench.Row) table.Cell { return exact(r.DriftShare) }},
	{"noisy", func(r *bench.Row) table.Cell { return table.Optional(r.Noisy, table.Bool) }},
	{"notes", func(r *bench.Row) table.Cell { return table.Text(strings.Join(r.Notes, "; ")) }},
}

func exact(v *float64) table.Cell { return table.Optional(v, table.Float) }

// writeCSV writes one line per row. Values that were not measured are empty. The
// machine's columns come last.
func writeCSV(w io.Writer, r *bench.Report) error {
	t := &table.Table{}
	for _, c := range csvColumns {
		t.Columns = append(t.Columns, table.Column{Name: c.name})
	}
	m := &r.Machine
	var machine []table.Cell
	for _, c := range []struct {
		name string
		cell table.Cell
	}{
		{"time", table.Text(m.Time)}, {"repvgg_version", table.Text(m.Repvgg)}, {"go_version", table.Text(m.Go)}, {"os", table.Text(m.OS)},
		{"arch", table.Text(m.Arch)}, {"cpu_model", table.Text(m.CPU)}, {"cpu_cores", table.Int(m.Cores)},
		{"cpu_features", table.Text(strings.Join(m.Features, " "))}, {"cpu_kernels", table.Text(m.Kernels)}, {"jpeg_decoder", table.Text(m.JPEGDecoder)},
		{"gpu", table.Optional(m.GPU, table.Text)}, {"gpu_driver", table.Optional(m.GPUDriver, table.Text)}, {"cudnn_version", table.Optional(m.CUDNN, table.Text)},
	} {
		t.Columns = append(t.Columns, table.Column{Name: c.name})
		machine = append(machine, c.cell)
	}
	for i := range r.Rows {
		var cells []table.Cell
		for _, c := range csvColumns {
			cells = append(cells, c.cell(&r.Rows[i]))
		}
		t.Add(append(cells, machine...)...)
	}
	return t.WriteCSV(w)
}
