package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"repvgg/internal/app"
	"repvgg/internal/metrics"
	"repvgg/internal/recipe"
	"repvgg/internal/report"
	"repvgg/internal/shard"
)

type testSettings struct {
	overrideSettings
	weightSettings
	threadSettings
	deviceSettings
	Metrics       []string `mapstructure:"metrics"`
	MetricOptions []string `mapstructure:"metric-options"`
	Out           string   `mapstructure:"out"`
	OutItems      []string `mapstructure:"out-items"`
	Compare       string   `mapstructure:"compare"`
	CompareOut    string   `mapstructure:"compare-out"`
	Confusion     string   `mapstructure:"confusion"`
	PerClass      string   `mapstructure:"per-class"`
	Show          bool     `mapstructure:"show"`
	ShowDir       string   `mapstructure:"show-dir"`
	SkipBadImages bool     `mapstructure:"skip-bad-images"`
	ProfileInput  bool     `mapstructure:"profile-input"`
	Launcher      string   `mapstructure:"launcher"`
	TmpDir        string   `mapstructure:"tmpdir"`
	GPUIDs        []int    `mapstructure:"gpu-ids"`
}

// test is repvgg test.
func test(cmd *cobra.Command, s *testSettings, args []string) error {
	e, err := s.evaluation(cmd, args[0], args[1])
	if err != nil {
		return usageError{err}
	}
	o, err := app.Test(cmd.Context(), *e, host(cmd))
	if o == nil {
		return hint(err)
	}
	return errors.Join(hint(err), s.report(cmd, o, e.Outputs))
}

// evaluation validates everything that can be checked without reading a file, and
// returns what to run.
func (s *testSettings) evaluation(cmd *cobra.Command, cfg, ckpt string) (*app.Evaluation, error) {
	if s.Show && s.ShowDir == "" {
		s.ShowDir = "show"
	}
	if len(s.GPUIDs) > 0 {
		s.GPUID = s.GPUIDs[0]
		note(cmd, "`--gpu-ids` is deprecated, please use `--gpu-id`. Because we only support single GPU mode in non-distributed testing. Use the first GPU in `gpu_ids` now.")
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	source, err := s.source(cfg, ckpt, s.CfgOptions)
	if err != nil {
		return nil, err
	}
	e := &app.Evaluation{
		Source:  source,
		Compare: s.Compare, Metrics: s.Metrics, SkipBad: s.SkipBadImages, Profile: s.ProfileInput,
		Outputs: app.Outputs{Result: s.Out, Confusion: s.Confusion, PerClass: s.PerClass, Comparison: s.CompareOut, Painted: s.ShowDir},
	}
	if e.Device, err = s.device(s.Threads); err != nil {
		return nil, err
	}
	if e.MetricOptions, err = recipe.MetricOptions("--metric-options", s.MetricOptions); err != nil {
		return nil, err
	}
	if e.Outputs.Items, err = report.Items(s.OutItems); err != nil {
		return nil, err
	}
	if e.Group, err = shard.FromLauncher(s.Launcher, os.Getenv); err != nil {
		return nil, err
	}
	if e.Group.World > 1 {
		if s.Compare != "" || s.SkipBadImages {
			return nil, errors.New("--compare and --skip-bad-images need all images in one process: run without --launcher")
		}
		if e.Dir, err = e.Group.Dir(s.TmpDir); err != nil {
			return nil, fmt.Errorf("%w (--tmpdir)", err)
		}
	}
	noteUseless(cmd, "gpu-id", e.Device.CUDA, " without --device cuda")
	noteUseless(cmd, "gpu-ids", e.Device.CUDA, " without --device cuda")
	noteUseless(cmd, "tmpdir", e.Group.World > 1, " without --launcher")
	noteUseless(cmd, "gpu-collect", false, ": results are gathered through --tmpdir")
	noteUseless(cmd, "show-options", false, ": painting adapts to the image")
	return e, e.Outputs.Check()
}

// noteUseless prints a note if a flag was given that has no effect.
func noteUseless(cmd *cobra.Command, flag string, useful bool, why string) {
	if !useful && cmd.Flags().Changed(flag) {
		note(cmd, "--%s has no effect%s", flag, why)
	}
}

// check validates the settings without reading any file.
func (s *testSettings) check() error {
	if !slices.ContainsFunc([]string{s.Out, s.ShowDir, s.Compare, s.Confusion, s.PerClass}, func(v string) bool { return v != "" }) &&
		len(s.Metrics) == 0 && !s.ProfileInput {
		return errors.New("please specify at least one of output path and evaluation metrics: --out FILE.json, --metrics accuracy")
	}
	if err := s.deviceSettings.check(deviceAuto, deviceCPU, deviceCUDA); err != nil {
		return err
	}
	if len(s.Precision) != 1 {
		return errors.New("--precision needs one value: " + strings.Join(precisionsOf(s.Device), ", "))
	}
	if s.CompareOut != "" && s.Compare == "" {
		return errors.New("--compare-out needs --compare OTHER_CKPT")
	}
	return metrics.CheckNames(s.Metrics)
}

// mostDiffering bounds the number of differing images that --compare prints.
const mostDiffering = 20

// report prints the outcome of an evaluation and writes its files.
func (s *testSettings) report(cmd *cobra.Command, o *app.Outcome, outputs app.Outputs) error {
	out := cmd.OutOrStdout()
	if o.Profile != nil {
		fmt.Fprintf(out, "\npipeline: %s\n%s\n", o.Pipeline, o.Profile)
	}
	if len(o.Bad) > 0 {
		note(cmd, "%d of %d images can't be used and are left out of all results:", len(o.Bad), o.Images)
		for _, b := range o.Bad {
			note(cmd, "%v", b.Err)
		}
	}
	for _, m := range o.Metrics {
		fmt.Fprintf(out, "\n%s : %s\n", m.Key, metrics.Format(m))
		if m.Note != "" {
			note(cmd, "%s", m.Note)
		}
	}
	for _, doubt := range o.Doubts {
		note(cmd, "%s", doubt)
	}
	if outputs.Result != "" {
		fmt.Fprintf(out, "\ndumping results to %s\n", outputs.Result)
	}
	if err := o.Write(cmd.Context(), outputs, host(cmd)); err != nil {
		return err
	}
	if o.Comparison == nil {
		return nil
	}
	fmt.Fprintln(out)
	return o.Comparison.WriteText(out, mostDiffering)
}
