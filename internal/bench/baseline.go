package bench

import (
	"fmt"
	"math"
	"slices"
)

// Change is how a row differs from the same row of an earlier run.
type Change struct {
	LatencyMSMedian float64 `json:"latency_ms_median"`
	// ChangeShare is how much longer a run takes now: -0.1 is 10 % less.
	ChangeShare float64 `json:"change_share"`
	// NoiseShare is how far the latency may differ by chance.
	NoiseShare float64 `json:"noise_share"`
	// Verdict is Faster, Slower, Same within the noise, or TooFew runs to say.
	Verdict string `json:"verdict"`
}

// What Change.Verdict can be.
const (
	Faster = "faster"
	Same   = "same"
	Slower = "slower"
	TooFew = "too few runs"
)

// leastRuns are what each of two rows needs for a verdict.
const leastRuns = 10

// leastNoise is what two runs on a quiet machine differ by, as a share.
const leastNoise = 0.03

// Compare marks how the rows changed since an earlier run. It returns what a
// reader of the comparison should know.
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

// earlier is the row of an earlier run that has the network, form and setting
// of a row of r, or nil. The network is that of the same config; the name of a
// variant stands for one where only one config has it.
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

// hasOne reports whether all rows of a variant are of one config.
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

// change takes half the width of both rows' p10 to p90 intervals as what the
// medians may differ by without meaning, but no less than leastNoise.
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
