package bench

import (
	"encoding/json"
	"fmt"

	"repvgg/internal/model"
)

// Row is what is known of one network in one form under one setting. What was
// not measured is nil. docs/bench.schema.json describes the fields.
type Row struct {
	Config    string `json:"config"`
	Variant   string `json:"variant"`
	Form      string `json:"form"`
	Device    string `json:"device"`
	Kernels   string `json:"kernels"`
	Precision string `json:"precision"`
	BatchSize int    `json:"batch_size"`
	Threads   int    `json:"threads"`
	// InputSize is the height and the width of the images in pixels.
	InputSize int    `json:"input_size"`
	Weights   string `json:"weights"`

	ParamsMillions float64 `json:"params_millions"`
	// FLOPsGiga is counted as the published figures are; MACsGiga are the
	// multiply-adds of the convolutions and the head. Both are for one image.
	FLOPsGiga float64 `json:"flops_giga"`
	MACsGiga  float64 `json:"macs_giga"`
	// The publisher's figures for this very network, if it is one of theirs.
	PublishedTop1Percent *float64 `json:"published_top1_percent"`
	PublishedTop5Percent *float64 `json:"published_top5_percent"`

	// A latency is that of a whole batch.
	LatencyMSMedian *float64 `json:"latency_ms_median"`
	LatencyMSP10    *float64 `json:"latency_ms_p10"`
	LatencyMSP90    *float64 `json:"latency_ms_p90"`
	// LatencyMSRounds are the medians of the rounds of measuring.
	LatencyMSRounds []float64 `json:"latency_ms_rounds"`
	// QueuedMSMedian is what a batch takes in a queue of them, on a device that
	// has one.
	QueuedMSMedian *float64 `json:"queued_ms_median"`
	// ImagesPerSecond is of the shorter of the two medians.
	ImagesPerSecond *float64 `json:"images_per_second"`
	// GFLOPSPerSecond is 2 x MACsGiga x ImagesPerSecond: what a direct
	// convolution would have to do.
	GFLOPSPerSecond     *float64 `json:"gflops_per_second"`
	PeakGFLOPSPerSecond *float64 `json:"peak_gflops_per_second"`
	PeakShare           *float64 `json:"peak_share"`
	// PackedWeightsMB is a part of PeakMemoryMB.
	PackedWeightsMB  *float64 `json:"packed_weights_mb"`
	PeakMemoryMB     *float64 `json:"peak_memory_mb"`
	SpeedupOverTrain *float64 `json:"speedup_over_train"`

	Runs       int `json:"runs"`
	WarmupRuns int `json:"warmup_runs"`
	// SpreadShare is (p90 - p10) / median, DriftShare how much slower the
	// second half of the runs was than the first.
	SpreadShare *float64 `json:"spread_share"`
	DriftShare  *float64 `json:"drift_share"`
	Noisy       *bool    `json:"noisy"`
	// Notes are what a reader of the row should know, noise among it.
	Notes []string `json:"notes"`

	Layers   []Layer `json:"layers"`
	Baseline *Change `json:"baseline"`
}

// Layer is the share of a layer in a run: a block of the network, or its head.
type Layer struct {
	Name            string   `json:"name"`
	Algorithm       string   `json:"algorithm"`
	TimeMS          float64  `json:"time_ms"`
	GFLOPSPerSecond *float64 `json:"gflops_per_second"`
}

// Describe fills in what follows from the row's network and setting.
func (r *Row) Describe(plan *model.Plan) error {
	count, err := plan.Count(r.InputSize, r.InputSize)
	if err != nil {
		return err
	}
	r.Form = plan.Form.String()
	r.ParamsMillions = float64(count.Total.Params) / 1e6
	r.FLOPsGiga = float64(count.Total.FLOPs) / 1e9
	r.MACsGiga = 0
	for i := range count.Blocks[:plan.Depth] {
		r.MACsGiga += float64(count.Blocks[i].Total().MACs) / 1e9
	}
	r.MACsGiga += float64(headMACs(plan)) / 1e9
	return nil
}

func headMACs(p *model.Plan) int64 {
	if p.Head == nil {
		return 0
	}
	return int64(p.Head.Classes) * int64(p.Head.Features)
}

// twins reports whether two rows differ in no more than their form: these are
// measured in turns and give the speed-up.
func (r *Row) twins(o *Row) bool {
	return r.Config == o.Config && r.Variant == o.Variant && r.SameSetting(o)
}

// SameSetting reports whether two rows were measured in the same way.
func (r *Row) SameSetting(o *Row) bool {
	return r.Device == o.Device && r.Precision == o.Precision && r.BatchSize == o.BatchSize &&
		r.Threads == o.Threads && r.InputSize == o.InputSize
}

// Measured reports whether the row has a latency.
func (r *Row) Measured() bool { return r.LatencyMSMedian != nil }

// Label names the row among others.
func (r *Row) Label() string {
	return fmt.Sprintf("%s %s, %s, batch %d", r.Variant, r.Form, r.Precision, r.BatchSize)
}

// LowLatency reports whether the row's runner is to take the algorithms that are
// fastest for single images: they read fewer weights and do more multiplications.
// From four images on they are slower; with two and three no difference was
// measured.
func (r *Row) LowLatency() bool { return r.Device == "cpu" && r.BatchSize == 1 }

// MarshalJSON writes notes as a list even where there are none.
func (r Row) MarshalJSON() ([]byte, error) {
	type plain Row
	if r.Notes == nil {
		r.Notes = []string{}
	}
	return json.Marshal(plain(r))
}
