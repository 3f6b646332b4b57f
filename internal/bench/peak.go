package bench

import "fmt"

// peakKey is the setting that the machine's peak depends on.
type peakKey struct {
	precision string
	threads   int
}

// peaks are the lowest and the highest peak, in GFLOP/s, while a row was measured;
// 0 if unknown.
type peaks struct{ low, high float64 }

// add measures the peak with the setting of a row.
func (p *peaks) add(measure func(precision string, threads int) float64, r *Row) {
	if measure == nil {
		return
	}
	gflops := measure(r.Precision, r.Threads)
	if gflops > 0 && (p.low == 0 || gflops < p.low) {
		p.low = gflops
	}
	p.high = max(p.high, gflops)
}

// relatePeaks sets each row's share of the highest measured peak, and adds a note
// to a row during which the peak was much lower.
func relatePeaks(rows []Row, measured []peaks) {
	best := make(map[peakKey]float64)
	for i := range rows {
		key := peakKey{rows[i].Precision, rows[i].Threads}
		best[key] = max(best[key], measured[i].high)
	}
	for i := range rows {
		r := &rows[i]
		peak := best[peakKey{r.Precision, r.Threads}]
		if peak == 0 {
			continue
		}
		share := *r.GFLOPSPerSecond / peak
		r.PeakGFLOPSPerSecond, r.PeakShare = &peak, &share
		if low := measured[i].low; low > 0 && 1-low/peak > driftLimit {
			*r.Noisy = true
			r.Notes = append(r.Notes, fmt.Sprintf("noisy: during this measurement, the machine's peak was %.0f %% lower than at its best", 100*(1-low/peak)))
		}
	}
}
