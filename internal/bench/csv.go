package bench

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
)

// writeCSV writes one line for each row, under the names that the fields have
// in JSON; what was not measured is empty. The machine's columns come last.
func (r *Report) writeCSV(out io.Writer) error {
	w := csv.NewWriter(out)
	m := &r.Machine
	if err := w.Write(append(csvNames(), "time", "repvgg_version", "go_version", "os", "arch", "cpu_model", "cpu_cores", "cpu_features", "cpu_kernels", "jpeg_decoder", "gpu", "gpu_driver", "cudnn_version")); err != nil {
		return err
	}
	for i := range r.Rows {
		line := []string{}
		for _, f := range csvFields {
			line = append(line, f.value(&r.Rows[i]))
		}
		line = append(line, m.Time, m.Repvgg, m.Go, m.OS, m.Arch, m.CPU, strconv.Itoa(m.Cores), strings.Join(m.Features, " "), m.Kernels, m.JPEGDecoder, known(m.GPU), known(m.GPUDriver), known(m.CUDNN))
		if err := w.Write(line); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

// known is a text that may not be known.
func known(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func csvNames() []string {
	var names []string
	for _, f := range csvFields {
		names = append(names, f.name)
	}
	return names
}

// csvFields are the fields of a row that are single values.
var csvFields = []struct {
	name  string
	value func(r *Row) string
}{
	{"config", func(r *Row) string { return r.Config }},
	{"variant", func(r *Row) string { return r.Variant }},
	{"form", func(r *Row) string { return r.Form }},
	{"device", func(r *Row) string { return r.Device }},
	{"kernels", func(r *Row) string { return r.Kernels }},
	{"precision", func(r *Row) string { return r.Precision }},
	{"batch_size", func(r *Row) string { return strconv.Itoa(r.BatchSize) }},
	{"threads", func(r *Row) string { return strconv.Itoa(r.Threads) }},
	{"input_size", func(r *Row) string { return strconv.Itoa(r.InputSize) }},
	{"weights", func(r *Row) string { return r.Weights }},
	{"params_millions", func(r *Row) string { return exact(&r.ParamsMillions) }},
	{"flops_giga", func(r *Row) string { return exact(&r.FLOPsGiga) }},
	{"macs_giga", func(r *Row) string { return exact(&r.MACsGiga) }},
	{"published_top1_percent", func(r *Row) string { return exact(r.PublishedTop1Percent) }},
	{"published_top5_percent", func(r *Row) string { return exact(r.PublishedTop5Percent) }},
	{"latency_ms_median", func(r *Row) string { return exact(r.LatencyMSMedian) }},
	{"latency_ms_p10", func(r *Row) string { return exact(r.LatencyMSP10) }},
	{"latency_ms_p90", func(r *Row) string { return exact(r.LatencyMSP90) }},
	{"queued_ms_median", func(r *Row) string { return exact(r.QueuedMSMedian) }},
	{"images_per_second", func(r *Row) string { return exact(r.ImagesPerSecond) }},
	{"gflops_per_second", func(r *Row) string { return exact(r.GFLOPSPerSecond) }},
	{"peak_gflops_per_second", func(r *Row) string { return exact(r.PeakGFLOPSPerSecond) }},
	{"peak_share", func(r *Row) string { return exact(r.PeakShare) }},
	{"packed_weights_mb", func(r *Row) string { return exact(r.PackedWeightsMB) }},
	{"peak_memory_mb", func(r *Row) string { return exact(r.PeakMemoryMB) }},
	{"speedup_over_train", func(r *Row) string { return exact(r.SpeedupOverTrain) }},
	{"runs", func(r *Row) string { return strconv.Itoa(r.Runs) }},
	{"warmup_runs", func(r *Row) string { return strconv.Itoa(r.WarmupRuns) }},
	{"spread_share", func(r *Row) string { return exact(r.SpreadShare) }},
	{"drift_share", func(r *Row) string { return exact(r.DriftShare) }},
	{"noisy", func(r *Row) string {
		if r.Noisy == nil {
			return ""
		}
		return strconv.FormatBool(*r.Noisy)
	}},
	{"notes", func(r *Row) string { return strings.Join(r.Notes, "; ") }},
}

// exact is the shortest text that gives the value back.
func exact(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'g', -1, 64)
}
