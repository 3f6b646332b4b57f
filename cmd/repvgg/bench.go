package main

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"repvgg/internal/atomicfile"
	"repvgg/internal/bench"
	"repvgg/internal/bench/benchreport"
	"repvgg/internal/config"
	"repvgg/internal/cpu"
	"repvgg/internal/engine"
	"repvgg/internal/jpeg"
	"repvgg/internal/model"
)

func newBenchCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench CFG...",
		Short: "Measure how fast networks run in both forms",
		Long: `Bench runs the networks of the configs on random images and prints how long a
batch takes, train form against deploy form, with what makes the figures
doubtful: wide spread, drift, other processes.

CFG is a train or a deploy config; --form says what is run, by default both forms
of a train config and the deploy form of a deploy config. Both forms are measured
in turns. A latency is the median over single runs after a warm-up that lasts
until it is stable. On the CPU a batch of 1 takes the algorithms that are fastest
for single images; larger batches do not. With --device cuda the images lie on the
GPU, and runs are also queued twenty at a time; images/s are of what is faster.

Without --checkpoint the weights are seeded random. With a training checkpoint
the deploy form is fused from it.

GFLOP/s count two operations for each multiply-add of a direct convolution, so
that an algorithm with fewer multiplications can pass the machine's peak.

Flags that take several values (--batch-size 1 32) end at the next flag: configs
come before them.`,
		Example: `  repvgg bench repvgg-A0
  repvgg bench repvgg-A0 repvgg-B1g4 --batch-size 1 32 --threads 4 --out report.html
  repvgg bench --zoo --format json --out zoo.json --plot zoo.svg
  repvgg bench --zoo --runs 0
  repvgg bench my_config.py --checkpoint latest.pth --layers --plot layers.png
  repvgg bench repvgg-A0 --baseline before.json --fail-if-slower
  repvgg bench repvgg-A0 --device cuda --precision fp16 bf16 --batch-size 1 128`,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return config.Embedded(), cobra.ShellCompDirectiveDefault
		},
		RunE: withSettings(func(cmd *cobra.Command, s *settings, args []string) error {
			if cmd.Flags().Changed("runs") && cmd.Flags().Changed("duration") {
				return usageError{errors.New("--runs and --duration both say how long to measure: give one of them")}
			}
			return runBench(cmd, s, args)
		}),
	}
	addBenchFlags(cmd)
	addCommonFlags(cmd)
	return cmd
}

func addBenchFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.Bool("zoo", false, "measure the twelve published variants")
	f.String("checkpoint", "", "file with the weights (default: seeded random weights)")
	addEMAFlag(cmd)
	f.StringSlice("form", nil, "what to run: train, deploy")
	f.String("device", deviceCPU, "where to run: cpu, or cuda for an NVIDIA GPU")
	f.Int("gpu-id", 0, "GPU to run on, with --device cuda")
	f.StringSlice("precision", []string{"fp32"}, precisionHelp())
	f.IntSlice("batch-size", []int{1}, "images in a batch")
	f.Int("input-size", 224, "height and width of the images")
	f.Duration("duration", 3*time.Second, "how long to measure each row")
	f.Int("runs", -1, "how many runs to measure, in place of --duration (0: measure nothing, list the rows)")
	f.Int("warmup", -1, "how many runs to make before measuring (default: until stable)")
	for _, name := range []string{"runs", "warmup"} {
		f.Lookup(name).DefValue = "0" // hides -1, which stands for neither
	}
	f.Bool("layers", false, "also measure each layer")
	f.String("format", "text", "what to print: "+strings.Join(printFormats(), ", "))
	f.String("out", "", "file to write too (.txt, .json, .csv, .md, .bench, or .html with pictures)")
	f.String("plot", "", "file for a picture (.svg, .png): published accuracy against speed, or time per layer with --layers")
	f.String("baseline", "", "file that an earlier run wrote (.json), to compare with")
	f.Bool("fail-if-slower", false, "exit status 1 if a row is slower than in --baseline, beyond the noise, or if none can be compared")
	for _, name := range []string{"form", "precision", "batch-size"} {
		markList(cmd, name)
	}
	for name, values := range map[string][]string{
		"form": {"train", "deploy"}, "device": {deviceCPU, deviceCUDA}, "precision": allPrecisions(), "format": printFormats(),
	} {
		offer(cmd, name, values)
	}
}

// printFormats are those of bench that a terminal can show.
func printFormats() []string {
	return slices.DeleteFunc(benchreport.Formats(), func(name string) bool { return name == "html" })
}

// runBench is repvgg bench. Whatever is wrong with the arguments is found before
// anything is measured.
func runBench(cmd *cobra.Command, s *settings, args []string) error {
	forms, err := checkBench(s, args)
	if err != nil {
		return usageError{err}
	}
	var before *bench.Report
	if s.Baseline != "" {
		if before, err = benchreport.Read(s.Baseline); err != nil {
			return fmt.Errorf("reading baseline: %w; give a file that repvgg bench --out FILE.json wrote", err)
		}
	}
	networks, err := benchNetworks(cmd, s, args, forms)
	if err != nil {
		return err
	}
	if err := checkMachine(s, networks); err != nil {
		return err
	}
	weights, err := openBenchWeights(cmd, s, networks)
	if err != nil {
		return err
	}
	defer weights.close()
	report := &bench.Report{Machine: thisMachine()}
	subjects, err := benchSubjects(cmd, s, networks, weights, &report.Machine)
	if err != nil {
		return err
	}
	if err := checkBenchFiles(s, subjects); err != nil {
		return err
	}
	peak := cpuPeak
	if s.Device == deviceCUDA {
		peak = gpuPeak(cmd, s)
	}
	bar := newShareProgress(cmd)
	report.Rows, err = bench.Measure(cmd.Context(), subjects, bench.Options{
		Runs: s.Runs, Duration: s.Duration, Warmup: s.Warmup, Layers: s.Layers, Peak: peak, Progress: bar.show,
	})
	bar.end()
	if before != nil {
		for _, text := range report.Compare(before) {
			note(cmd, "baseline %q: %s", s.Baseline, text)
		}
		if s.FailIfSlower && err == nil {
			err = slower(s, report)
		}
	}
	return writeBench(cmd, s, report, err)
}

// slower is the error of --fail-if-slower.
func slower(s *settings, report *bench.Report) error {
	compared, worse := 0, []string{}
	for i := range report.Rows {
		c := report.Rows[i].Baseline
		if c == nil || c.Verdict == bench.TooFew {
			continue
		}
		if compared++; c.Verdict == bench.Slower {
			worse = append(worse, fmt.Sprintf("%s by %.1f %%", report.Rows[i].Label(), 100*c.ChangeShare))
		}
	}
	switch {
	case compared == 0:
		return fmt.Errorf("baseline %q: no row can be compared with it", s.Baseline)
	case len(worse) > 0:
		return fmt.Errorf("slower than baseline %q: %s", s.Baseline, strings.Join(worse, "; "))
	}
	return nil
}

// writeBench writes what was measured wherever it was asked for, also after an
// error of measuring, and although one of the places fails. It returns the first
// error and prints the others.
func writeBench(cmd *cobra.Command, s *settings, report *bench.Report, err error) error {
	if len(report.Rows) == 0 {
		return err
	}
	failed := func(next error) {
		switch {
		case err == nil:
			err = next
		case next != nil:
			note(cmd, "%v", next)
		}
	}
	out := ""
	if s.Out != "" {
		out, _ = benchreport.FormatOf(s.Out) // which was checked
		if werr := benchreport.WriteFile(s.Out, report); werr != nil {
			failed(fmt.Errorf("writing report %q: %w", s.Out, werr))
		}
	}
	if s.Plot != "" {
		failed(benchreport.WritePicture(s.Plot, report))
	}
	if werr := benchreport.Write(cmd.OutOrStdout(), report, s.Format); werr != nil {
		failed(fmt.Errorf("writing to stdout: %w", werr))
	}
	if (s.Layers || s.Baseline != "") && (s.Format == "csv" || out == "csv") {
		note(cmd, "CSV has no columns for layers and for the baseline: other formats show them")
	}
	return err
}

// checkBench checks the flags and returns the forms that were asked for.
func checkBench(s *settings, args []string) ([]model.Form, error) {
	if len(args) == 0 && !s.Zoo {
		return nil, errors.New("give a config to measure (repvgg-A0, my_config.py), before flags that take several values, or --zoo for all published variants")
	}
	if err := checkDevice(s.Device, []string{deviceCPU, deviceCUDA}, s.Precision); err != nil {
		return nil, err
	}
	if s.GPUID < 0 {
		return nil, fmt.Errorf("--gpu-id %d: want a GPU from 0", s.GPUID)
	}
	if !slices.Contains(printFormats(), s.Format) {
		return nil, fmt.Errorf("--format %s: want one of %s", s.Format, strings.Join(printFormats(), ", "))
	}
	for _, n := range s.BatchSize {
		if n < 1 || n > 4096 {
			return nil, fmt.Errorf("--batch-size %d: want 1 to 4096", n)
		}
	}
	if s.InputSize < 1 || s.InputSize > 4096 {
		return nil, fmt.Errorf("--input-size %d: want 1 to 4096", s.InputSize)
	}
	if s.Runs < -1 || s.Warmup < -1 {
		return nil, fmt.Errorf("--runs %d --warmup %d: want 0 or more; without them both are as long as they need", s.Runs, s.Warmup)
	}
	if s.Baseline == "" && s.FailIfSlower {
		return nil, errors.New("--fail-if-slower needs --baseline FILE.json")
	}
	if s.Runs < 0 && s.Duration <= 0 {
		return nil, fmt.Errorf("--duration %v: want a positive duration such as 3s", s.Duration)
	}
	if len(s.Precision) == 0 || len(s.BatchSize) == 0 {
		return nil, errors.New("--precision and --batch-size need at least one value each")
	}
	if s.Out != "" {
		if _, err := benchreport.FormatOf(s.Out); err != nil {
			return nil, fmt.Errorf("--out %w", err)
		}
	}
	if s.Plot != "" {
		if err := benchreport.CheckPicture(s.Plot); err != nil {
			return nil, fmt.Errorf("--plot %w", err)
		}
		if s.Runs == 0 {
			return nil, errors.New("--plot has nothing to draw without runs")
		}
	}
	return benchForms(s.Form)
}

// checkMachine reports what this machine can't do, before anything is opened.
func checkMachine(s *settings, networks []benchNetwork) error {
	if s.Device == deviceCPU {
		for _, name := range s.Precision {
			precision, err := engine.ParsePrecision(name, cpu.Precisions())
			if err != nil {
				return err
			}
			if err := cpu.Supported(precision); err != nil {
				return fmt.Errorf("--precision %s: %w", name, err)
			}
		}
	}
	if s.Runs == 0 {
		return nil
	}
	// A network of each form has images and results of its own; feature maps come
	// on top.
	memory, batch := float64(cpu.MachineMemory()), slices.Max(s.BatchSize)
	for i := range networks {
		p := networks[i].plan
		bytes := 4 * float64(batch) * (float64(p.InChannels)*float64(s.InputSize)*float64(s.InputSize) + float64(p.OutLen(s.InputSize, s.InputSize)))
		if bytes > memory/4 {
			return fmt.Errorf("config %q: a batch of %d images of %d x %d and its results take %.0f MB, more than a quarter of this machine's memory (%.0f MB): lower --batch-size or --input-size",
				networks[i].config, batch, s.InputSize, s.InputSize, bytes/1e6, memory/1e6)
		}
	}
	return nil
}

// checkBenchFiles reports files that could not be written in the end.
func checkBenchFiles(s *settings, subjects []bench.Subject) error {
	if s.Plot != "" && !s.Layers && !slices.ContainsFunc(subjects, func(b bench.Subject) bool { return b.Row.PublishedTop1Percent != nil }) {
		return fmt.Errorf("--plot %q: no row has a published accuracy; measure a published variant at --input-size 224, or give --layers", s.Plot)
	}
	for _, path := range []string{s.Out, s.Plot} {
		if path == "" {
			continue
		}
		if err := atomicfile.Probe(path); err != nil {
			return fmt.Errorf("writing %q: %w", path, err)
		}
	}
	return nil
}

func benchForms(names []string) ([]model.Form, error) {
	var forms []model.Form
	for _, name := range names {
		switch name {
		case model.Train.String():
			forms = append(forms, model.Train)
		case model.Deploy.String():
			forms = append(forms, model.Deploy)
		default:
			return nil, fmt.Errorf("--form %s: want train or deploy; both are measured without --form, or by --form train deploy", name)
		}
	}
	slices.Sort(forms)
	return slices.Compact(forms), nil
}

// benchSubjects are all rows, those of one network and setting together. What a
// GPU is becomes known when its first row is opened: machine is told then.
func benchSubjects(cmd *cobra.Command, s *settings, networks []benchNetwork, weights *benchWeights, machine *bench.Machine) ([]bench.Subject, error) {
	threads := s.Threads
	if threads == 0 {
		threads = min(runtime.GOMAXPROCS(0), cpu.MaxThreads)
	}
	var subjects []bench.Subject
	for i := range networks {
		n := &networks[i]
		for _, precision := range distinct(s.Precision) {
			for _, batch := range distinct(s.BatchSize) {
				for _, form := range n.forms {
					row := bench.Row{
						Config: n.config, Variant: n.variant, Device: s.Device, Kernels: cpuKernels(), Precision: precision,
						BatchSize: batch, Threads: threads, InputSize: s.InputSize, Weights: weights.name(),
					}
					plan := n.plan.As(form)
					if err := row.Describe(plan); err != nil {
						return nil, fmt.Errorf("config %q: %w", n.config, err)
					}
					n.describe(&row, form)
					open := func() (engine.Runner, error) { return newCPURunner(cmd.Context(), plan, weights, &row) }
					if s.Device == deviceCUDA {
						// The host has little to do; the library and the GPU are named once
						// they are open.
						row.Threads, row.Kernels = 1, "cuDNN"
						row.Notes = append(row.Notes, residentNote)
						open = func() (engine.Runner, error) { return newGPURunner(cmd, s, plan, weights, &row, machine) }
					}
					subjects = append(subjects, bench.Subject{Row: row, Plan: plan, Open: open})
				}
			}
		}
	}
	return subjects, nil
}

// distinct keeps the first of equal values.
func distinct[T comparable](values []T) []T {
	var kept []T
	for _, v := range values {
		if !slices.Contains(kept, v) {
			kept = append(kept, v)
		}
	}
	return kept
}

func thisMachine() bench.Machine {
	m := bench.ThisMachine()
	m.Time = time.Now().UTC().Format(time.RFC3339)
	m.Repvgg = version()
	m.Kernels = cpuKernels()
	if name, ok := jpeg.Library(); ok {
		m.JPEGDecoder = name
	} else {
		m.JPEGDecoder = "Go"
	}
	return m
}
