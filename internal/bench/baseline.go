package bench

import (
	"fmt"
	"math"
	"slices"
)

// Change compares a row with the same row of an earlier run.
type Change struct {
	LatencyMSMedian float64 `json:"latency_ms_median"`
	// ChangeShare is the relative change of the latency: -0.1 means 10 % less time.
	ChangeShare float64 `json:"change_share"`
	// NoiseShare is the relative difference that noise alone may cause.
	NoiseShare float64 `json:"noise_share"`
	// Verdict is Faster, Slower, Same (within the noise) or TooFew (runs for a
	// verdict).
	Verdict string `json:"verdict"`
}

// The values of Change.Verdict.
const (
	Faster = "faster"
	Same   = "same"
	Slower = "slower"
	TooFew = "too few runs"
)

// leastRuns is the number of runs that each row needs for a verdict.
const leastRuns = 10

// leastNoise is the relative difference between two runs on a quiet machine.
const leastNoise = 0.03

// Compare sets the Baseline of each row from an earlier report. It returns notes on
// what limits the comparison.
func (r *Report) Compare(before *Report) []string {
	var notes []string
	say := func(format string, args ...any) {
		if n := fmt.Sprintf(format, args...); !slices.Contains(notes, n) {
			notes = append(notes, n)
		}
	}
	if before.Machine.CPU != r.Machine.CPU {
		say("it was measured on another machine: %s", before.Machine.CPU)
	}
	matched, measured := false, false
	for i := range r.Rows {
		now := &r.Rows[i]
		measured = measured || now.Measured()
		old := r.earlier(before, now)
		if old == nil {
			continue
		}
		matched = true
		now.Baseline = change(now, old)
		if now.Kernels != old.Kernels {
			say("it was measured with other kernels: %s, now %s", old.Kernels, now.Kernels)
		}
		if now.Weights != old.Weights {
			say("it was measured with other weights: %s, now %s", old.Weights, now.Weights)
		}
	}
	if !matched && measured {
		say("it has no row of the same network, form and setting")
	}
	return notes
}

// earlier returns the row of an earlier report with the same network, form and
// setting, or nil. Two rows have the same network if their configs are the same, or
// if they have the same variant name and it is unique in both reports.
func (r *Report) earlier(before *Report, now *Row) *Row {
	var sameVariant *Row
	for i := range before.Rows {
		old := &before.Rows[i]
		if now.Form != old.Form || !now.SameSetting(old) || now.ParamsMillions != old.ParamsMillions || !now.Measured() || !old.Measured() {
			continue
		}
		if now.Config == old.Config {
			return old
		}
		if now.Variant == old.Variant {
			sameVariant = old
		}
	}
	if sameVariant == nil || !r.hasOne(now.Variant) || !before.hasOne(now.Variant) {
		return nil
	}
	return sameVariant
}

// hasOne reports whether all rows of a variant have the same config.
func (r *Report) hasOne(variant string) bool {
	config := ""
	for i := range r.Rows {
		row := &r.Rows[i]
		if row.Variant != variant {
			continue
		}
		if config != "" && row.Config != config {
			return false
		}
		config = row.Config
	}
	return true
}

// change compares two rows. The noise is half the sum of the widths of the rows'
// p10..p90 intervals, but at least leastNoise.
func change(now, old *Row) *Change {
	c := &Change{
		LatencyMSMedian: *old.LatencyMSMedian,
		ChangeShare:     *now.LatencyMSMedian / *old.LatencyMSMedian - 1,
		NoiseShare:      leastNoise,
		Verdict:         Same,
	}
	if now.SpreadShare != nil && old.SpreadShare != nil {
		c.NoiseShare = max(leastNoise, (*now.SpreadShare+*old.SpreadShare)/2)
	}
	switch {
	case min(now.Runs, old.Runs) < leastRuns:
		c.Verdict = TooFew
	case math.Abs(c.ChangeShare) <= c.NoiseShare:
	case c.ChangeShare < 0:
		c.Verdict = Faster
	default:
		c.Verdict = Slower
	}
	return c
}
