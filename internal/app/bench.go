package app

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"repvgg/internal/bench"
	"repvgg/internal/checkpoint"
	"repvgg/internal/cpu"
	"repvgg/internal/cpu/kernel"
	"repvgg/internal/engine"
	"repvgg/internal/gpu"
	"repvgg/internal/jpeg"
	"repvgg/internal/model"
	"repvgg/internal/model/repvgg"
	"repvgg/internal/tensor"
)

// Benchmark describes what to measure and how.
type Benchmark struct {
	// Configs are files or names of built-in configs. Zoo adds the configs of all
	// published variants. Overrides apply to each config.
	Configs   []string
	Zoo       bool
	Overrides []string
	// Checkpoint has the weights of the only network; empty means seeded random ones.
	// Choice and Ignore are as of Source.
	Checkpoint string
	Choice     checkpoint.Choice
	Ignore     []string
	// Writes are the files that the report will be written to.
	Writes []Output
	// Forms to measure; none means both of a train config, and the deploy form of a
	// deploy config.
	Forms []model.Form
	// Device is where to measure. Its precision is ignored: Precisions replaces it.
	Device     Device
	Precisions []engine.Precision
	// BatchSizes are numbers of images. InputSize is their height and width.
	BatchSizes []int
	InputSize  int
	// Measure says how long to measure. Bench sets its Peak.
	Measure bench.Options
	// Version is the program's, for the report.
	Version string
	// Ready, unless nil, is called with the rows before anything is measured. An error
	// ends the job.
	Ready func(rows []bench.Row) error
}

// Bench measures networks. If measuring fails or ctx ends, it returns the rows that
// are done together with the error.
func Bench(ctx context.Context, b Benchmark, h Host) (*bench.Report, error) {
	networks, err := b.networks(h)
	if err != nil {
		return nil, err
	}
	var configs []string
	for i := range networks {
		configs = append(configs, networks[i].files...)
	}
	if err := h.guard(configs, b.Checkpoint).check(ctx, b.Writes...); err != nil {
		return nil, err
	}
	if err := b.checkMachine(networks); err != nil {
		return nil, err
	}
	weights, err := b.openWeights(h, networks)
	if err != nil {
		return nil, err
	}
	defer weights.close()
	m := &measuring{Benchmark: &b, ctx: ctx, host: h, weights: weights, report: &bench.Report{Machine: b.machine()}}
	subjects, err := m.subjects(networks)
	if err != nil {
		return nil, err
	}
	if b.Ready != nil {
		rows := make([]bench.Row, len(subjects))
		for i := range subjects {
			rows[i] = subjects[i].Row
		}
		if err := b.Ready(rows); err != nil {
			return nil, err
		}
	}
	o := b.Measure
	o.Peak = m.peak
	m.report.Rows, err = bench.Measure(ctx, subjects, o)
	return m.report, err
}

// machine describes this machine.
func (b *Benchmark) machine() bench.Machine {
	m := bench.ThisMachine()
	m.Time = time.Now().UTC().Format(time.RFC3339)
	m.Repvgg = b.Version
	m.Kernels = Kernels()
	m.JPEGDecoder = "Go"
	if name, ok := jpeg.Library(); ok {
		m.JPEGDecoder = name
	}
	return m
}

// Kernels names the variant of the CPU kernels that this machine uses.
func Kernels() string { return kernel.Variants()[0].String() }

// checkMachine reports what this machine can't run, before anything is opened.
func (b *Benchmark) checkMachine(networks []benchNetwork) error {
	for _, p := range b.Precisions {
		d := b.Device
		d.Precision = p
		if err := d.Check(); err != nil {
			return fmt.Errorf("measuring in %v: %w", p, err)
		}
	}
	if b.Measure.Runs == 0 {
		return nil
	}
	// Each form has its own images and results. The feature maps need more memory on
	// top.
	memory, batch := float64(cpu.MachineMemory()), slices.Max(b.BatchSizes)
	for i := range networks {
		p := networks[i].plan
		if err := checkWeights(p); err != nil {
			return fmt.Errorf("config %q: %w", networks[i].config, err)
		}
		bytes := 4 * float64(batch) * (float64(p.InChannels)*float64(b.InputSize)*float64(b.InputSize) + float64(p.OutLen(b.InputSize, b.InputSize)))
		if bytes > memory/4 {
			return fmt.Errorf("config %q: a batch of %d images of %d x %d and its results take %.0f MB, more than a quarter of this machine's memory (%.0f MB): use smaller batches or images",
				networks[i].config, batch, b.InputSize, b.InputSize, bytes/1e6, memory/1e6)
		}
	}
	return nil
}

// measuring is a Benchmark whose networks and weights are known.
type measuring struct {
	*Benchmark
	ctx     context.Context
	host    Host
	weights *benchWeights
	report  *bench.Report
	peaks   map[string]float64 // the GPU's, by precision
}

// subjects returns all rows. The forms of one network with one setting are
// neighbours.
func (m *measuring) subjects(networks []benchNetwork) ([]bench.Subject, error) {
	var all []bench.Subject
	for i := range networks {
		for _, precision := range distinct(m.Precisions) {
			for _, batch := range distinct(m.BatchSizes) {
				some, err := m.forms(&networks[i], precision, batch)
				if err != nil {
					return nil, err
				}
				all = append(all, some...)
			}
		}
	}
	return all, nil
}

// residentNote says what the time of a run on the GPU includes.
const residentNote = "the images are on the GPU before the clock starts, as in PyTorch benchmarks; each latency includes copying the logits back, and a queue of runs copies them once"

// forms returns the rows of a network with one setting.
func (m *measuring) forms(n *benchNetwork, precision engine.Precision, batch int) ([]bench.Subject, error) {
	var all []bench.Subject
	for _, form := range n.forms {
		plan := n.plan.As(form)
		row := &bench.Row{
			Config: n.config, Variant: n.variant, Device: "cpu", Kernels: Kernels(), Precision: precision.String(),
			BatchSize: batch, Threads: m.threads(), InputSize: m.InputSize, Weights: m.weights.name(),
		}
		if err := row.Describe(plan); err != nil {
			return nil, fmt.Errorf("config %q: %w", n.config, err)
		}
		n.describe(row, form)
		open := m.openCPU
		if m.Device.CUDA {
			// The host has little to do. The library and the GPU are named once they are open.
			row.Device, row.Threads, row.Kernels = "cuda", 1, "cuDNN"
			row.Notes = append(row.Notes, residentNote)
			open = m.openGPU
		}
		all = append(all, bench.Subject{Row: *row, Plan: plan, Open: func() (engine.Runner, error) { return open(plan, precision, row) }})
	}
	return all, nil
}

func (m *measuring) threads() int {
	if m.Device.Threads > 0 {
		return m.Device.Threads
	}
	return min(runtime.GOMAXPROCS(0), cpu.MaxThreads)
}

// openCPU makes the runner of a row.
func (m *measuring) openCPU(plan *model.Plan, precision engine.Precision, row *bench.Row) (engine.Runner, error) {
	return m.verified(cpu.New(plan, tensor.Interruptible(m.ctx, m.weights.of(plan)), cpu.Options{
		Threads: row.Threads, Precision: precision, Height: row.InputSize, Width: row.InputSize, LowLatency: row.LowLatency(),
	}))
}

// openGPU makes the runner of a row. It also adds the GPU's name to the report,
// which is only known once a runner is open.
func (m *measuring) openGPU(plan *model.Plan, precision engine.Precision, _ *bench.Row) (engine.Runner, error) {
	r, err := gpu.New(plan, tensor.Interruptible(m.ctx, m.weights.of(plan)), gpu.Options{
		GPU: m.Device.GPU, Precision: precision, Resident: true,
		Note: func(text string) { m.host.note(General, "%s", text) },
	})
	if err != nil {
		return nil, err
	}
	name, driver, cudnn := r.Hardware()
	m.report.Machine.GPU, m.report.Machine.GPUDriver, m.report.Machine.CUDNN = &name, &driver, &cudnn
	return m.verified(r, nil)
}

// verified returns the runner if the file that its weights came from is intact.
func (m *measuring) verified(r engine.Runner, err error) (engine.Runner, error) {
	if err != nil {
		return nil, err
	}
	if err := m.weights.verify(); err != nil {
		_ = r.Close() // the first error is returned
		return nil, err
	}
	return r, nil
}

// peak measures the peak GFLOP/s of the device in a precision, or returns 0 if it
// can't. A GPU's peak is measured once.
func (m *measuring) peak(name string, threads int) float64 {
	precision, err := engine.ParsePrecision(name, Precisions(m.Device.CUDA))
	if err != nil {
		return 0
	}
	if !m.Device.CUDA {
		return cpu.Peak(precision, threads)
	}
	if peak, ok := m.peaks[name]; ok {
		return peak
	}
	peak, err := gpu.Peak(m.ctx, m.Device.GPU, precision)
	if err != nil {
		m.host.note(General, "the GPU's peak is not known: %v", err)
	}
	if m.peaks == nil {
		m.peaks = make(map[string]float64)
	}
	m.peaks[name] = peak
	return peak
}

// distinct drops repeated values.
func distinct[T comparable](values []T) []T {
	var kept []T
	for _, v := range values {
		if !slices.Contains(kept, v) {
			kept = append(kept, v)
		}
	}
	return kept
}

// Slower returns an error if rows of the report are slower than its baseline by
// more than the noise, or if no row can be compared.
func Slower(report *bench.Report) error {
	compared := 0
	var worse []error
	for i := range report.Rows {
		c := report.Rows[i].Baseline
		if c == nil || c.Verdict == bench.TooFew {
			continue
		}
		if compared++; c.Verdict == bench.Slower {
			worse = append(worse, fmt.Errorf("%s is slower by %.1f %%", report.Rows[i].Label(), 100*c.ChangeShare))
		}
	}
	if compared == 0 {
		return errors.New("no row can be compared")
	}
	return errors.Join(worse...)
}

// ofZoo returns the train configs of the published variants.
func ofZoo() []string {
	var names []string
	for _, p := range repvgg.Zoo() {
		names = append(names, p.TrainConfig)
	}
	return names
}
