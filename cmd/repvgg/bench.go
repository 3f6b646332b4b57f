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
	"repvgg/internal/config"
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
until it is stable. A batch of 1 takes the algorithms that are fastest for single
images.

Without --checkpoint the weights are seeded random. With a training checkpoint
the deploy form is fused from it.

GFLOP/s count two operations for each multiply-add of a direct convolution, so
that an algorithm with fewer multiplications can pass the machine's peak.`,
		Example: `  repvgg bench repvgg-A0
  repvgg bench repvgg-A0 repvgg-B1g4 --batch-size 1,32 --threads 4 --out report.html
  repvgg bench --zoo --format json --out zoo.json --plot zoo.svg
  repvgg bench --zoo --runs 0
  repvgg bench my_config.py --checkpoint latest.pth --layers --plot layers.png
  repvgg bench repvgg-A0 --baseline before.json`,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return config.Embedded(), cobra.ShellCompDirectiveDefault
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := readSettings(cmd)
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("runs") && cmd.Flags().Changed("duration") {
				return usageError{errors.New("--runs and --duration both say how long to measure: give one of them")}
			}
			return runBench(cmd, s, args)
		},
	}
	addBenchFlags(cmd)
	addCommonFlags(cmd)
	return cmd
}

func addBenchFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.Bool("zoo", false, "measure the twelve published variants")
	f.String("checkpoint", "", "file with the weights (default: seeded random weights)")
	f.StringSlice("form", nil, "what to run: train, deploy")
	f.String("device", "cpu", "where to run: cpu")
	f.StringSlice("precision", []string{"fp32"}, "what to compute in: "+strings.Join(cpuPrecisions(), ", "))
	f.IntSlice("batch-size", []int{1}, "images in a batch")
	f.Int("input-size", 224, "height and width of the images")
	f.Duration("duration", 3*time.Second, "how long to measure each row")
	f.Int("runs", -1, "how many runs to measure instead (0: measure nothing, list the rows)")
	f.Int("warmup", -1, "how many runs to make before (default: until stable)")
	f.Bool("layers", false, "also measure each layer")
	f.String("format", "text", "what to print: "+strings.Join(printFormats(), ", "))
	f.String("out", "", "file to write too (.txt, .json, .csv, .md, .bench, or .html with pictures)")
	f.String("plot", "", "file for a picture (.svg, .png): published accuracy against speed, or time per layer with --layers")
	f.String("baseline", "", "file that an earlier run wrote (.json), to compare with")
	for name, values := range map[string][]string{
		"form": {"train", "deploy"}, "device": {"cpu"}, "precision": cpuPrecisions(), "format": printFormats(),
	} {
		// The only error is a flag that does not exist or has one already.
		if err := cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
			panic(err)
		}
	}
}

// printFormats are those of bench that a terminal can show.
func printFormats() []string {
	return slices.DeleteFunc(bench.Formats(), func(name string) bool { return name == "html" })
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
		if before, err = bench.ReadReport(s.Baseline); err != nil {
			return err
		}
	}
	networks, err := benchNetworks(cmd, s, args, forms)
	if err != nil {
		return err
	}
	weights, err := openBenchWeights(cmd, s, networks)
	if err != nil {
		return err
	}
	defer weights.close()
	subjects, err := benchSubjects(s, networks, weights)
	if err != nil {
		return err
	}
	report := &bench.Report{Machine: thisMachine()}
	bar := newShareProgress(cmd)
	report.Rows, err = bench.Measure(cmd.Context(), subjects, bench.Options{
		Runs: s.Runs, Duration: s.Duration, Warmup: s.Warmup, Layers: s.Layers, Peak: cpuPeak, Progress: bar.show,
	})
	bar.end()
	if before != nil && report.Compare(before) == 0 && err == nil {
		note(cmd, "no row of baseline %q was measured with the same variant, form and setting", s.Baseline)
	}
	if before != nil && before.Machine.CPU != report.Machine.CPU {
		note(cmd, "baseline %q was measured on another machine: %s", s.Baseline, before.Machine.CPU)
	}
	if len(report.Rows) > 0 {
		if werr := report.Write(cmd.OutOrStdout(), s.Format); err == nil {
			err = werr
		}
	}
	if err != nil {
		return err
	}
	return writeBenchFiles(s, report)
}

func writeBenchFiles(s *settings, report *bench.Report) error {
	if s.Out != "" {
		if err := report.WriteFile(s.Out); err != nil {
			return fmt.Errorf("writing report %q: %w", s.Out, err)
		}
	}
	if s.Plot != "" {
		return report.WritePlot(s.Plot)
	}
	return nil
}

// checkBench checks the flags and returns the forms that were asked for.
func checkBench(s *settings, args []string) ([]model.Form, error) {
	if len(args) == 0 && !s.Zoo {
		return nil, errors.New("give a config to measure (repvgg-A0, my_config.py), or --zoo for all published variants")
	}
	if s.Device != "cpu" {
		return nil, fmt.Errorf("--device %s: this build measures on the cpu only", s.Device)
	}
	if !slices.Contains(printFormats(), s.Format) {
		return nil, fmt.Errorf("--format %s: want one of %s", s.Format, strings.Join(printFormats(), ", "))
	}
	for _, p := range s.Precision {
		if !slices.Contains(cpuPrecisions(), p) {
			return nil, fmt.Errorf("--precision %s: want one of %s", p, strings.Join(cpuPrecisions(), ", "))
		}
	}
	for _, n := range s.BatchSize {
		if n < 1 || n > 4096 {
			return nil, fmt.Errorf("--batch-size %d: want 1 to 4096", n)
		}
	}
	if s.InputSize < 1 || s.InputSize > 4096 {
		return nil, fmt.Errorf("--input-size %d: want 1 to 4096", s.InputSize)
	}
	if s.Runs < 0 && s.Duration <= 0 {
		return nil, fmt.Errorf("--duration %v: want a positive duration such as 3s", s.Duration)
	}
	if len(s.Precision) == 0 || len(s.BatchSize) == 0 {
		return nil, errors.New("--precision and --batch-size need at least one value each")
	}
	if s.Out != "" {
		if _, err := bench.FormatOf(s.Out); err != nil {
			return nil, fmt.Errorf("--out %w", err)
		}
	}
	if s.Plot != "" {
		if err := bench.CheckPlot(s.Plot); err != nil {
			return nil, fmt.Errorf("--plot %w", err)
		}
		if s.Runs == 0 {
			return nil, errors.New("--plot has nothing to draw without runs")
		}
	}
	for _, path := range []string{s.Out, s.Plot} {
		if path == "" {
			continue
		}
		if err := atomicfile.Check(path); err != nil {
			return nil, err
		}
	}
	return benchForms(s.Form)
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
			return nil, fmt.Errorf("--form %s: want train, deploy or both", name)
		}
	}
	slices.Sort(forms)
	return slices.Compact(forms), nil
}

// benchSubjects are all rows, those of one network and setting together.
func benchSubjects(s *settings, networks []benchNetwork, weights *benchWeights) ([]bench.Subject, error) {
	threads := s.Threads
	if threads == 0 {
		threads = runtime.GOMAXPROCS(0)
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
					subjects = append(subjects, bench.Subject{Row: row, Plan: plan, Open: func() (bench.Runner, error) {
						return newCPURunner(plan, weights, &row)
					}})
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
