package bench

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
)

// Change is how a row differs from the same row of an earlier run.
type Change struct {
	LatencyMSMedian float64 `json:"latency_ms_median"`
	// ChangeShare is how much longer a run takes now: -0.1 is 10 % less.
	ChangeShare float64 `json:"change_share"`
	// NoiseShare is how far the latency may differ by chance.
	NoiseShare float64 `json:"noise_share"`
	// Verdict is "faster", "slower", or "same" within the noise.
	Verdict string `json:"verdict"`
}

// leastNoise is what two runs on a quiet machine differ by, as a share.
const leastNoise = 0.03

// ReadReport reads what WriteJSON wrote.
func ReadReport(path string) (*Report, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading baseline: %w", err)
	}
	var r Report
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("reading baseline %q: %w; give a file that repvgg bench --out FILE.json wrote", path, err)
	}
	for i := range r.Rows {
		if m := r.Rows[i].LatencyMSMedian; m != nil && !(*m > 0) {
			return nil, fmt.Errorf("reading baseline %q: row %d: latency_ms_median is %v", path, i, *m)
		}
	}
	return &r, nil
}

// Compare marks how the rows changed since an earlier run, and returns how many
// it has in common with this one.
func (r *Report) Compare(before *Report) int {
	matched := 0
	for i := range r.Rows {
		now := &r.Rows[i]
		for j := range before.Rows {
			old := &before.Rows[j]
			if now.Variant == old.Variant && now.Form == old.Form && now.sameSetting(old) && now.measured() && old.measured() {
				now.Baseline = change(now, old)
				matched++
				break
			}
		}
	}
	return matched
}

// change takes half the width of both rows' p10 to p90 intervals as what the
// medians may differ by without meaning, but no less than leastNoise.
func change(now, old *Row) *Change {
	c := &Change{
		LatencyMSMedian: *old.LatencyMSMedian,
		ChangeShare:     *now.LatencyMSMedian / *old.LatencyMSMedian - 1,
		NoiseShare:      leastNoise,
		Verdict:         "same",
	}
	if now.SpreadShare != nil && old.SpreadShare != nil {
		c.NoiseShare = max(leastNoise, (*now.SpreadShare+*old.SpreadShare)/2)
	}
	switch {
	case math.Abs(c.ChangeShare) <= c.NoiseShare:
	case c.ChangeShare < 0:
		c.Verdict = "faster"
	default:
		c.Verdict = "slower"
	}
	return c
}
