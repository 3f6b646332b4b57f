package bench

import (
	"encoding/json"
	"fmt"

	"repvgg/internal/model"
)

// Row holds the figures of one network in one form with one setting. Values that
// were not measured are nil. docs/bench.schema.json describes the fields.
type Row struct {
	Config    string `json:"config"`
	Variant   string `json:"variant"`
	Form      string `json:"form"`
	Device    string `json:"device"`
	Kernels   string `json:"kernels"`
	Precision string `json:"precision"`
	BatchSize int    `json:"batch_size"`
	Threads   int    `json:"threads"`
	// InputSize is the height and width of the images in pixels.
	InputSize int    `json:"input_size"`
	Weights   string `json:"weights"`

	ParamsMillions float64 `json:"params_millions"`
	// FLOPsGiga is counted like the published figures. MACsGiga is the number of
	// multiply-adds in the convolutions and the head. Both are for one image.
	FLOPsGiga float64 `json:"flops_giga"`
	MACsGiga  float64 `json:"macs_giga"`
	// The publisher's accuracies, if this is exactly a published network.
	PublishedTop1Percent *float64 `json:"published_top1_percent"`
	PublishedTop5Percent *float64 `json:"published_top5_percent"`

	// Latencies are for a whole batch.
	LatencyMSMedian *float64 `json:"latency_ms_median"`
	LatencyMSP10    *float64 `json:"latency_ms_p10"`
	LatencyMSP90    *float64 `json:"latency_ms_p90"`
	// LatencyMSRounds are the medians of the rounds.
	LatencyMSRounds []float64 `json:"latency_ms_rounds"`
	// QueuedMSMedian is the time per batch when runs are queued, on a device that can
	// queue them.
	QueuedMSMedian *float64 `json:"queued_ms_median"`
	// ImagesPerSecond is computed from the shorter of the two medians.
	ImagesPerSecond *float64 `json:"images_per_second"`
	// GFLOPSPerSecond is 2 x MACsGiga x ImagesPerSecond: the speed that a direct
	// convolution would need.
	GFLOPSPerSecond     *float64 `json:"gflops_per_second"`
	PeakGFLOPSPerSecond *float64 `json:"peak_gflops_per_second"`
	PeakShare           *float64 `json:"peak_share"`
	// PackedWeightsMB is included in PeakMemoryMB.
	PackedWeightsMB  *float64 `json:"packed_weights_mb"`
	PeakMemoryMB     *float64 `json:"peak_memory_mb"`
	SpeedupOverTrain *float64 `json:"speedup_over_train"`

	Runs       int `json:"runs"`
	WarmupRuns int `json:"warmup_runs"`
	// SpreadShare is (p90 - p10) / median. DriftShare is how much slower the second
	// half of the runs was than the first.
	SpreadShare *float64 `json:"spread_share"`
	DriftShare  *float64 `json:"drift_share"`
	Noisy       *bool    `json:"noisy"`
	// Notes say what a reader of the row should know, such as what makes it noisy.
	Notes []string `json:"notes"`

	Layers   []Layer `json:"layers"`
	Baseline *Change `json:"baseline"`
}

// Layer is the time of one layer in a run. A layer is a block of the network or its
// head.
type Layer struct {
	Name            string   `json:"name"`
	Algorithm       string   `json:"algorithm"`
	TimeMS          float64  `json:"time_ms"`
	GFLOPSPerSecond *float64 `json:"gflops_per_second"`
}

// Describe fills in the figures that follow from the row's network and setting.
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

// twins reports whether two rows differ at most in their form. Such rows are
// measured in turns and give the speed-up.
func (r *Row) twins(o *Row) bool {
	return r.Config == o.Config && r.Variant == o.Variant && r.SameSetting(o)
}

// SameSetting reports whether two rows have the same setting.
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

// LowLatency reports whether the row's runner should use the algorithms that are
// fastest for single images. They read fewer weights and do more multiplications.
// They are slower from four images on; with two or three images, no difference was
// measured.
func (r *Row) LowLatency() bool { return r.Device == "cpu" && r.BatchSize == 1 }

// MarshalJSON writes an empty list of notes as [], not as null.
func (r Row) MarshalJSON() ([]byte, error) {
	type plain Row
	if r.Notes == nil {
		r.Notes = []string{}
	}
	return json.Marshal(plain(r))
}
