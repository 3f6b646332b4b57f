package recipe

import (
	"repvgg/internal/config"
	"repvgg/internal/config/value"
	"repvgg/internal/metrics"
)

// MetricOptions parses the options of metrics, such as topk=(1,5), in the grammar
// of overrides. As in the original, a number and a list of one number give
// different keys in the results. Errors start with place.
func MetricOptions(place string, items []string) (metrics.Options, error) {
	var o metrics.Options
	section, err := config.Options(place, items)
	if err != nil {
		return o, err
	}
	raw := struct {
		TopK    value.Value `config:"topk"`
		Thrs    value.Value `config:"thrs"`
		Average string      `config:"average_mode"`
	}{Average: "macro"}
	if err := section.DecodeStrict(&raw); err != nil {
		return o, err
	}
	switch raw.Average {
	case "macro":
	case "none":
		o.PerClass = true
	default:
		return o, section.Errorf("average_mode", "want macro or none, got %q", raw.Average)
	}
	if k, ok := raw.TopK.(int64); ok {
		o.TopK, o.TopKScalar = []int{int(k)}, true
	} else if raw.TopK != nil {
		var list struct {
			TopK []int `config:"topk"`
		}
		if err := section.Decode(&list); err != nil {
			return o, err
		}
		o.TopK = list.TopK
	}
	switch thrs := raw.Thrs.(type) {
	case nil:
	case int64:
		o.Thresholds, o.ThresholdsScalar = []float64{float64(thrs)}, true
	case float64:
		o.Thresholds, o.ThresholdsScalar = []float64{thrs}, true
	default:
		var list struct {
			Thrs []float64 `config:"thrs"`
		}
		if err := section.Decode(&list); err != nil {
			return o, err
		}
		o.Thresholds = list.Thrs
	}
	return o, o.Check()
}
