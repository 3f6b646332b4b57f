package recipe

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repvgg/internal/metrics"
)

func TestMetricOptions(t *testing.T) {
	for items, want := range map[string]metrics.Options{
		"":                               {},
		"topk=2":                         {TopK: []int{2}, TopKScalar: true},
		"topk=(1,5) thrs=0.5":            {TopK: []int{1, 5}, Thresholds: []float64{0.5}, ThresholdsScalar: true},
		"thrs=1":                         {Thresholds: []float64{1}, ThresholdsScalar: true},
		"thrs=[0,0.5] average_mode=none": {Thresholds: []float64{0, 0.5}, PerClass: true},
		"average_mode=macro":             {},
	} {
		got, err := MetricOptions("--metric-options", strings.Fields(items))
		if err != nil {
			t.Errorf("%s: %v", items, err)
		} else if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", items, diff)
		}
	}
	for items, want := range map[string]string{
		"topk":            `parsing override "topk"`,
		"topk=x":          "--metric-options: topk: want a list, got 'x'",
		"thrs=(1,x)":      "--metric-options: thrs.1: want a number, got 'x'",
		"average_mode=x":  `--metric-options: average_mode: want macro or none, got "x"`,
		"threshold=0.5":   "--metric-options: threshold: unknown key: known are average_mode, thrs, topk",
		"topk=(0,)":       "topk",
		"average_mode=[]": "average_mode: want a string",
	} {
		if _, err := MetricOptions("--metric-options", strings.Fields(items)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", items, err, want)
		}
	}
}
