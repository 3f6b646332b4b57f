package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"repvgg/internal/app"
	"repvgg/internal/atomicfile"
	"repvgg/internal/bench"
	"repvgg/internal/bench/benchreport"
	"repvgg/internal/config"
	"repvgg/internal/engine"
	"repvgg/internal/model"
)

func newBenchCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench CFG...",
		Short: "Measure the speed of networks in both forms",
		Long: `Bench runs the networks of the configs on random images, and prints how long a
batch takes in the train form and in the deploy form. It notes what makes a figure
doubtful: a wide spread, a drift, or other busy processes.

CFG is a train or a deploy config. By default, a train config is measured in both
forms and a deploy config in the deploy form; --form chooses. Both forms are
measured in turns. A latency is the median over single runs, after a warm-up that
lasts until the latency is stable. On the CPU, a batch of 1 uses the algorithms
that are fastest for single images; larger batches do not. With --device cuda, the
images are on the GPU before the clock starts. Runs are also queued twenty at a
time, and images/s is the better of both ways.

Without --checkpoint, the weights are random with a fixed seed. A training
checkpoint is fused for the deploy form.

GFLOP/s count two operations for each multiply-add of a direct convolution. An
algorithm that needs fewer multiplications can therefore exceed the machine's peak.

A flag that takes several values (--batch-size 1 32) ends at the next flag, so put
the configs first.`,
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
		RunE: withSettings(func(cmd *cobra.Command, s *benchSettings, args []string) error {
			if cmd.Flags().Changed("runs") && cmd.Flags().Changed("duration") {
				return usageError{errors.New("--runs and --duration both set how long to measure: give one of them")}
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
	addWeightFlags(cmd)
	f.StringSlice("form", nil, "what to run: train, deploy")
	f.String("device", deviceCPU, "where to run: cpu, or cuda for an NVIDIA GPU")
	f.Int("gpu-id", 0, "with --device cuda: number of the GPU to run on")
	f.StringSlice("precision", []string{"fp32"}, precisionHelp())
	f.IntSlice("batch-size", []int{1}, "number of images in a batch")
	f.Int("input-size", 224, "height and width of the images")
	f.Duration("duration", 3*time.Second, "how long to measure each row")
	f.Int("runs", -1, "how many runs to measure, instead of --duration (0: measure nothing, list the rows)")
	f.Int("warmup", -1, "how many runs to make before measuring (default: until stable)")
	for _, name := range []string{"runs", "warmup"} {
		f.Lookup(name).DefValue = "0" // keeps --help from showing -1, which means "not set"
	}
	f.Bool("layers", false, "also measure each layer")
	f.String("format", "text", "output format: "+strings.Join(printFormats(), ", "))
	f.String("out", "", "file to write the report to (.txt, .json, .csv, .md, .bench, or .html with pictures)")
	f.String("plot", "", "file to draw a picture to (.svg, .png): published accuracy against speed, or time per layer with --layers")
	f.String("baseline", "", "report of an earlier run to compare with (.json)")
	f.Bool("fail-if-slower", false, "exit with status 1 if a row is slower than in --baseline by more than the noise, or if no row can be compared")
	for _, name := range []string{"form", "precision", "batch-size"} {
		markList(cmd, name)
	}
	for name, values := range map[string][]string{
		"form": {"train", "deploy"}, "device": {deviceCPU, deviceCUDA}, "precision": allPrecisions(), "format": printFormats(),
	} {
		offer(cmd, name, values)
	}
}

// printFormats returns the formats of a report that a terminal can show.
func printFormats() []string {
	return slices.DeleteFunc(benchreport.Formats(), func(name string) bool { return name == "html" })
}

type benchSettings struct {
	overrideSettings
	weightSettings
	threadSettings
	deviceSettings
	formatSettings
	Zoo          bool          `mapstructure:"zoo"`
	Checkpoint   string        `mapstructure:"checkpoint"`
	Form         []string      `mapstructure:"form"`
	BatchSize    []int         `mapstructure:"batch-size"`
	InputSize    int           `mapstructure:"input-size"`
	Duration     time.Duration `mapstructure:"duration"`
	Runs         int           `mapstructure:"runs"`
	Warmup       int           `mapstructure:"warmup"`
	Layers       bool          `mapstructure:"layers"`
	Out          string        `mapstructure:"out"`
	Plot         string        `mapstructure:"plot"`
	Baseline     string        `mapstructure:"baseline"`
	FailIfSlower bool          `mapstructure:"fail-if-slower"`
}

// runBench is repvgg bench. It reports every error in the arguments before it
// measures anything.
func runBench(cmd *cobra.Command, s *benchSettings, args []string) error {
	b, err := s.benchmark(cmd, args)
	if err != nil {
		return usageError{err}
	}
	var before *bench.Report
	h := host(cmd)
	if s.Baseline != "" {
		h.Inputs = append(h.Inputs, app.Input{What: "baseline", Path: s.Baseline})
		if before, err = benchreport.Read(cmd.Context(), s.Baseline); err != nil {
			return fmt.Errorf("reading baseline: %w; give a file that repvgg bench --out FILE.json wrote", err)
		}
	}
	bar := newShareProgress(cmd)
	b.Measure.Progress = bar.show
	report, err := app.Bench(cmd.Context(), *b, h)
	bar.end()
	if errors.Is(err, app.ErrSeveralNetworks) {
		return usageError{err}
	}
	if err = hint(err); report == nil {
		return err
	}
	if before != nil {
		for _, text := range report.Compare(before) {
			note(cmd, "baseline %q: %s", s.Baseline, text)
		}
		if s.FailIfSlower && err == nil {
			if err = app.Slower(report); err != nil {
				err = fmt.Errorf("baseline %q: %w", s.Baseline, err)
			}
		}
	}
	return writeBench(cmd, s, report, err)
}

// benchmark checks the settings and returns what to measure.
func (s *benchSettings) benchmark(cmd *cobra.Command, args []string) (*app.Benchmark, error) {
	if err := s.check(args); err != nil {
		return nil, err
	}
	forms, err := benchForms(s.Form)
	if err != nil {
		return nil, err
	}
	device, err := s.device(s.Threads)
	if err != nil {
		return nil, err
	}
	b := &app.Benchmark{
		Configs: args, Zoo: s.Zoo, Overrides: s.CfgOptions, Checkpoint: s.Checkpoint, Choice: s.choice(), Ignore: s.Ignore, Forms: forms,
		Writes: []app.Output{{What: "report", Path: s.Out}, {What: "picture", Path: s.Plot}},
		Device: device, BatchSizes: s.BatchSize, InputSize: s.InputSize, Version: cmd.Root().Version, Ready: s.checkFiles,
		Measure: bench.Options{Runs: s.Runs, Duration: s.Duration, Warmup: s.Warmup, Layers: s.Layers},
	}
	for _, name := range s.Precision {
		p, err := engine.ParsePrecision(name, app.Precisions(device.CUDA))
		if err != nil {
			return nil, err
		}
		b.Precisions = append(b.Precisions, p)
	}
	return b, nil
}

// writeBench writes the rows that were measured to every output, even if measuring
// ended with err or an earlier output failed. It returns the first error and prints
// the others as notes.
func writeBench(cmd *cobra.Command, s *benchSettings, report *bench.Report, err error) error {
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
		out, _ = benchreport.FormatOf(s.Out) // check has validated the name
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
		note(cmd, "CSV has no columns for layers or the baseline: use another format to see them")
	}
	return err
}

// check validates the settings without reading any file.
func (s *benchSettings) check(args []string) error {
	if len(args) == 0 && !s.Zoo {
		return errors.New("give a config to measure (repvgg-A0, my_config.py), before flags that take several values, or --zoo for all published variants")
	}
	if err := s.deviceSettings.check(deviceCPU, deviceCUDA); err != nil {
		return err
	}
	if err := s.checkPatterns(); err != nil {
		return err
	}
	if !slices.Contains(printFormats(), s.Format) {
		return fmt.Errorf("--format %s: want one of %s", s.Format, strings.Join(printFormats(), ", "))
	}
	for _, n := range s.BatchSize {
		if n < 1 || n > 4096 {
			return fmt.Errorf("--batch-size %d: want 1 to 4096", n)
		}
	}
	if s.InputSize < 1 || s.InputSize > 4096 {
		return fmt.Errorf("--input-size %d: want 1 to 4096", s.InputSize)
	}
	if s.Runs < -1 || s.Warmup < -1 {
		return fmt.Errorf("--runs %d --warmup %d: want 0 or more; leave them out to let bench choose", s.Runs, s.Warmup)
	}
	if s.Baseline == "" && s.FailIfSlower {
		return errors.New("--fail-if-slower needs --baseline FILE.json")
	}
	if s.Runs < 0 && s.Duration <= 0 {
		return fmt.Errorf("--duration %v: want a positive duration such as 3s", s.Duration)
	}
	if len(s.Precision) == 0 || len(s.BatchSize) == 0 {
		return errors.New("--precision and --batch-size need at least one value each")
	}
	if s.Out != "" {
		if _, err := benchreport.FormatOf(s.Out); err != nil {
			return fmt.Errorf("--out %w", err)
		}
	}
	if s.Plot != "" {
		if err := benchreport.CheckPicture(s.Plot); err != nil {
			return fmt.Errorf("--plot %w", err)
		}
		if s.Runs == 0 {
			return errors.New("--plot has nothing to draw without runs")
		}
	}
	return nil
}

// checkFiles reports outputs that could not be written after the measurement.
func (s *benchSettings) checkFiles(rows []bench.Row) error {
	if s.Plot != "" && !s.Layers && !slices.ContainsFunc(rows, func(r bench.Row) bool { return r.PublishedTop1Percent != nil }) {
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
			return nil, fmt.Errorf("--form %s: want train or deploy; to measure both, leave --form out or give --form train deploy", name)
		}
	}
	slices.Sort(forms)
	return slices.Compact(forms), nil
}
