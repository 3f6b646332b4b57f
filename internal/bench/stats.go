package bench

import (
	"fmt"
	"math"
	"slices"
)

// A row above one of these limits is called noisy.
const (
	// spreadLimit applies to (p90 - p10) / median of the runs.
	spreadLimit = 0.10
	// driftLimit applies to the change of the median from the first to the second half
	// of the runs, and to the fall of the machine's peak during a row.
	driftLimit = 0.05
	// crowdLimit is the part of a core by which the runner's threads and other
	// processes may exceed the number of cores.
	crowdLimit = 0.10
)

// summary holds the statistics of single runs, in milliseconds.
type summary struct {
	median, p10, p90 float64
	spread, drift    float64
}

// summarize computes the statistics of at least one run. The runs are in the order
// in which they were made.
func summarize(runs []float64) summary {
	sorted := slices.Sorted(slices.Values(runs))
	s := summary{median: quantile(sorted, 0.5), p10: quantile(sorted, 0.1), p90: quantile(sorted, 0.9)}
	s.spread = (s.p90 - s.p10) / s.median
	if half := len(runs) / 2; half > 0 {
		s.drift = median(runs[len(runs)-half:])/median(runs[:half]) - 1
	}
	return s
}

// noise returns notes on what makes the statistics doubtful.
func (s summary) noise() []string {
	var notes []string
	if s.spread > spreadLimit {
		notes = append(notes, fmt.Sprintf("noisy: p10 to p90 spread over %.0f %% of the median", 100*s.spread))
	}
	if math.Abs(s.drift) > driftLimit {
		word := "slower"
		if s.drift < 0 {
			word = "faster"
		}
		notes = append(notes, fmt.Sprintf("noisy: the second half of the runs was %.0f %% %s than the first", 100*math.Abs(s.drift), word))
	}
	return notes
}

func median(values []float64) float64 {
	return quantile(slices.Sorted(slices.Values(values)), 0.5)
}

// quantile interpolates linearly between the two nearest sorted values.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	low := int(at)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (at-float64(low))*(sorted[high]-sorted[low])
}
