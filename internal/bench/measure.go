package bench

import (
	"context"
	"fmt"
	"math"
	"repvgg/internal/engine"
	"runtime"
	"slices"
	"time"
)

// Options say how to measure.
type Options struct {
	// Runs is the number of runs for each row. Negative means as many as fit into
	// Duration, but at least one per round.
	Runs     int
	Duration time.Duration
	// Warmup is the number of runs before that. Negative means until two consecutive
	// medians agree.
	Warmup int
	// Layers also measures each layer, in separate runs.
	Layers bool
	// Peak measures the peak GFLOP/s of a number of threads in a precision. nil, or a
	// result of 0, means that the peak is not known.
	Peak func(precision string, threads int) float64
	// Progress, unless nil, is called with the current step and the share of all work
	// that is done, from 0 to 1.
	Progress func(what string, share float64)

	// For tests. nil means time.Now and ReadLoad.
	now  func() time.Time
	load func() (Load, bool)
}

// rounds is the number of turns over which the runs of a row are spread.
const rounds = 6

// Measure measures all subjects in order. Neighbours that differ only in their form
// take turns. After an error, or when ctx ends, it returns the rows that are done
// together with the error. If opts.Runs is 0, it returns the rows without
// measuring.
func Measure(ctx context.Context, subjects []Subject, opts Options) ([]Row, error) {
	if opts.now == nil {
		opts.now = time.Now
	}
	if opts.load == nil {
		opts.load = ReadLoad
	}
	var rows []Row
	if opts.Runs == 0 {
		for i := range subjects {
			rows = append(rows, subjects[i].Row)
		}
		return rows, nil
	}
	m := &meter{Options: opts}
	defer func() { relatePeaks(rows, m.peaks) }()
	for len(rows) < len(subjects) {
		from := len(rows)
		to := from + 1
		for to < len(subjects) && subjects[from].Row.twins(&subjects[to].Row) {
			to++
		}
		m.before, m.share = float64(from)/float64(len(subjects)), float64(to-from)/float64(len(subjects))
		group, err := m.group(ctx, subjects[from:to])
		rows = append(rows, group...)
		if err != nil {
			return rows, err
		}
	}
	return rows, nil
}

// meter is the state of one call of Measure.
type meter struct {
	Options
	// peaks has one entry for each finished row.
	peaks         []peaks
	before, share float64 // shares of all work: done before the current group, and done by it
}

// lane is a subject that is being measured.
type lane struct {
	*Subject
	runner   engine.Runner
	can      engine.Capabilities
	src, dst []float32
	warmup   int
	runs     []float64 // milliseconds
	rounds   []float64 // medians
	queued   []float64 // milliseconds per run in a queue
	layers   []Layer
}

// group measures subjects in turns. If measuring the layers fails, it returns the
// rows without layers and the error.
func (m *meter) group(ctx context.Context, subjects []Subject) ([]Row, error) {
	lanes := make([]*lane, len(subjects))
	for i := range subjects {
		m.progress("preparing "+subjects[i].Row.Label(), 0)
		l, err := open(&subjects[i])
		if err != nil {
			return nil, err
		}
		defer l.close()
		lanes[i] = l
	}
	runtime.GC() // free what packing left behind
	var peak peaks
	peak.add(m.Peak, &subjects[0].Row)
	for i, l := range lanes {
		m.progress("warming up "+l.Row.Label(), 0.1*float64(i)/float64(len(lanes)))
		if err := m.warmUp(ctx, l); err != nil {
			return nil, l.wrap(err)
		}
	}
	start := m.now()
	before, loadKnown := m.load()
	for round := range rounds {
		for i, l := range lanes {
			m.progress(l.Row.Label(), 0.1+0.9*(float64(round)+float64(i)/float64(len(lanes)))/rounds)
			if err := m.turn(ctx, l, round); err != nil {
				return nil, l.wrap(err)
			}
		}
	}
	wall := m.now().Sub(start)
	others, cores := 0.0, 0
	if after, ok := m.load(); ok && loadKnown {
		others, cores = othersCores(before, after, wall), after.Cores
	}
	peak.add(m.Peak, &subjects[0].Row)
	rows := make([]Row, len(lanes))
	for i, l := range lanes {
		rows[i] = l.row(crowding(others, l.Row.Threads, cores, wall))
		m.peaks = append(m.peaks, peak)
	}
	relateForms(rows)
	if !m.Layers {
		return rows, nil
	}
	for i, l := range lanes {
		m.progress("layers of "+l.Row.Label(), 1)
		if err := m.traceLayers(ctx, l); err != nil {
			return rows, l.wrap(err)
		}
		rows[i].Layers = l.layers
	}
	return rows, nil
}

func open(s *Subject) (*lane, error) {
	runner, err := s.Open()
	if err != nil {
		return nil, err
	}
	n, size := s.Row.BatchSize, s.Row.InputSize
	return &lane{
		Subject: s, runner: runner, can: runner.Capabilities(),
		src: randomImages(n * s.Plan.InChannels * size * size),
		dst: make([]float32, n*s.Plan.OutLen(size, size)),
	}, nil
}

// close frees the runner. A failure to close changes no result.
func (l *lane) close() { _ = l.runner.Close() }

func (l *lane) wrap(err error) error {
	return fmt.Errorf("measuring %s: %w", l.Row.Label(), err)
}

// run makes one run and returns its milliseconds.
func (m *meter) run(ctx context.Context, l *lane) (float64, error) {
	start := m.now()
	err := l.runner.Run(ctx, l.dst, l.src, l.Row.BatchSize, l.Row.InputSize, l.Row.InputSize)
	took := m.now().Sub(start)
	// The clock may be coarser than the run of a tiny network.
	return float64(max(took, 1)) / 1e6, err
}

// warmUp runs exactly Options.Warmup times, if that is set. Otherwise it runs until
// the median of three runs is within 2 % of that of the three before, or until
// Duration is over.
func (m *meter) warmUp(ctx context.Context, l *lane) error {
	start := m.now()
	var runs []float64
	for !m.warm(runs, m.now().Sub(start)) {
		ms, err := m.run(ctx, l)
		if err != nil {
			return err
		}
		runs = append(runs, ms)
	}
	l.warmup = len(runs)
	return nil
}

func (m *meter) warm(runs []float64, since time.Duration) bool {
	n := len(runs)
	if m.Warmup >= 0 {
		return n >= m.Warmup
	}
	if n >= 1 && since >= m.Duration {
		return true
	}
	const window, agree = 3, 0.02
	if n < 2*window {
		return false
	}
	last, before := median(runs[n-window:]), median(runs[n-2*window:n-window])
	return math.Abs(last-before) <= agree*before
}

// turn measures one round of a lane.
func (m *meter) turn(ctx context.Context, l *lane, round int) error {
	from := len(l.runs)
	want := m.Runs*(round+1)/rounds - m.Runs*round/rounds
	start := m.now()
	for {
		done := len(l.runs) - from
		if m.Runs >= 0 && done >= want || m.Runs < 0 && done > 0 && m.now().Sub(start) >= m.Duration/rounds {
			break
		}
		ms, err := m.run(ctx, l)
		if err != nil {
			return err
		}
		l.runs = append(l.runs, ms)
	}
	if len(l.runs) > from {
		l.rounds = append(l.rounds, median(l.runs[from:]))
		if err := m.queue(ctx, l); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// queueLength is the number of runs that are queued at a time.
const queueLength = 20

// queue measures queued runs, if the lane's runner can queue them.
func (m *meter) queue(ctx context.Context, l *lane) error {
	if l.can.RunQueued == nil {
		return nil
	}
	for first := m.now(); ; {
		start := m.now()
		if err := l.can.RunQueued(ctx, l.dst, l.src, l.Row.BatchSize, l.Row.InputSize, l.Row.InputSize, queueLength); err != nil {
			return err
		}
		l.queued = append(l.queued, float64(max(m.now().Sub(start), 1))/1e6/queueLength)
		if m.Runs >= 0 || m.now().Sub(first) >= m.Duration/rounds {
			return nil
		}
	}
}

// row returns the measured row of a lane. crowd is a note on the load, or empty.
func (l *lane) row(crowd string) Row {
	r := l.Row
	r.Kernels = l.can.Kernels
	r.WarmupRuns, r.Runs = l.warmup, len(l.runs)
	if l.can.Memory != nil {
		packed, total := l.can.Memory()
		packedMB, totalMB := float64(packed)/1e6, float64(total+4*int64(len(l.src)+len(l.dst)))/1e6
		r.PackedWeightsMB, r.PeakMemoryMB = &packedMB, &totalMB
	}
	s := summarize(l.runs)
	best := s.median
	if len(l.queued) > 0 {
		queued := median(l.queued)
		best, r.QueuedMSMedian = min(best, queued), &queued
	}
	perSecond := float64(r.BatchSize) / best * 1e3
	gflops := 2 * r.MACsGiga * perSecond
	notes := s.noise()
	if crowd != "" {
		notes = append(notes, crowd)
	}
	noisy := len(notes) > 0
	if slices.ContainsFunc(l.dst, func(v float32) bool { return v-v != 0 }) {
		notes = append(notes, "the results are not finite; arithmetic on such values may take a different time")
	}
	r.LatencyMSMedian, r.LatencyMSP10, r.LatencyMSP90 = &s.median, &s.p10, &s.p90
	r.LatencyMSRounds = l.rounds
	r.ImagesPerSecond, r.GFLOPSPerSecond = &perSecond, &gflops
	r.SpreadShare, r.DriftShare, r.Noisy = &s.spread, &s.drift, &noisy
	r.Notes = append(slices.Clip(r.Notes), notes...)
	return r
}

// relateForms sets the speed-up of the deploy rows over the train row of a group.
func relateForms(rows []Row) {
	for i := range rows {
		for j := range rows {
			d, t := &rows[i], &rows[j]
			if d.Form == "deploy" && t.Form == "train" {
				speedup := *t.LatencyMSMedian / *d.LatencyMSMedian
				d.SpeedupOverTrain = &speedup
			}
		}
	}
}

func (m *meter) progress(what string, share float64) {
	if m.Progress != nil {
		m.Progress(what, m.before+share*m.share)
	}
}
