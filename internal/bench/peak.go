package bench

import "fmt"

// peakKey is what the machine's peak depends on.
type peakKey struct {
	precision string
	threads   int
}

// peaks are the lowest and the highest peak in GFLOP/s that the machine had
// while a row was measured; 0 if that is not known.
type peaks struct{ low, high float64 }

// add measures the peak in the setting of a row.
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

// relatePeaks gives the rows their share of the best peak that was measured,
// and says so where the machine was much slower than that at the time.
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
			r.Notes = append(r.Notes, fmt.Sprintf("noisy: while this was measured the machine's peak was %.0f %% lower than at its best", 100*(1-low/peak)))
		}
	}
}
