package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"repvgg/internal/checkpoint"
	"repvgg/internal/config"
	"repvgg/internal/convert"
	"repvgg/internal/cpu"
	"repvgg/internal/dataset"
	"repvgg/internal/eval"
	"repvgg/internal/metrics"
	"repvgg/internal/model"
	"repvgg/internal/preprocess"
	"repvgg/internal/report"
	"repvgg/internal/tensor"
)

func newTestCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "test CFG CKPT",
		Short: "Measure a checkpoint on the images of its config",
		Long: `Test runs the images of the config's data.test through its pipeline and the
network, and prints the metrics as MMClassification's tools/test.py prints them.

CFG and CKPT are of the same form: a train config with a training checkpoint, or
a deploy config with what repvgg reparameterize wrote.`,
		Example: `  repvgg test repvgg-A0_deploy a0_deploy.pth --metrics accuracy --cfg-options data.test.data_prefix=/imagenet/val data.test.ann_file=/imagenet/val.txt
  repvgg test my_config.py latest.pth --metrics accuracy precision recall f1_score support
  repvgg test my_config.py latest.pth --out scores.json --out-items class_scores pred_label`,
		Args:              exactArgs(2),
		ValidArgsFunction: completeConfig,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := readSettings(cmd)
			if err != nil {
				return err
			}
			t, err := newTest(cmd, s, args[0], args[1])
			if err != nil {
				return err
			}
			defer t.close()
			return t.run(cmd)
		},
	}
	f := cmd.Flags()
	f.StringSlice("metrics", nil, "what to compute: accuracy precision recall f1_score support")
	f.StringArray("metric-options", nil, "options of the metrics: topk=(1,5) thrs=0.5 average_mode=none ...")
	f.String("out", "", "file to write the metrics and predictions to (.json)")
	f.StringSlice("out-items", []string{"all"}, "what else the file holds: class_scores pred_score pred_label pred_class, none or all")
	f.String("device", "cpu", "where to run: cpu")
	for _, name := range []string{"metrics", "metric-options", "out-items"} {
		markList(cmd, name)
	}
	for name, values := range map[string][]string{
		"metrics":   {metrics.Accuracy, metrics.Precision, metrics.Recall, metrics.F1Score, metrics.Support},
		"out-items": {report.ClassScores, report.PredScore, report.PredLabel, report.PredClass, "none", "all"},
		"device":    {"cpu"},
	} {
		// The only error is a flag that does not exist or has one already.
		if err := cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
			panic(err)
		}
	}
	addCommonFlags(cmd)
	return cmd
}

// test is a run whose arguments have all been found good.
type test struct {
	settings  *settings
	options   metrics.Options
	items     []string
	plan      *model.Plan
	ckpt      *checkpoint.File
	data      *dataset.Dataset
	pipeline  *preprocess.Pipeline
	batchSize int
}

// newTest finds whatever is wrong with the arguments, before any image is read.
func newTest(cmd *cobra.Command, s *settings, cfgName, ckptPath string) (*test, error) {
	t := &test{settings: s}
	if err := t.checkFlags(); err != nil {
		return nil, err
	}
	cfg, err := config.Load(cfgName, s.CfgOptions)
	if err != nil {
		return nil, err
	}
	if t.plan, err = model.FromConfig(cfg); err != nil {
		return nil, err
	}
	if t.plan.InChannels != 3 {
		return nil, fmt.Errorf("config %q describes a network for %d channels, but images have 3", cfgName, t.plan.InChannels)
	}
	if err := t.readData(cfg); err != nil {
		return nil, err
	}
	noteConfig(cmd, cfg)
	for _, w := range t.data.Warnings {
		note(cmd, "%s", w)
	}
	if t.ckpt, err = checkpoint.Open(ckptPath); err != nil {
		return nil, err
	}
	if err := convert.Match(t.ckpt, t.plan); err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

func (t *test) close() { t.ckpt.Close() }

// checkFlags checks what can be checked without any file.
func (t *test) checkFlags() error {
	s := t.settings
	if len(s.Metrics) == 0 && s.Out == "" {
		return usageError{errors.New("please specify at least one of output path and evaluation metrics: --out FILE.json, --metrics accuracy")}
	}
	if err := metrics.CheckNames(s.Metrics); err != nil {
		return usageError{err}
	}
	var err error
	if t.options, err = metricOptions(s.MetricOptions); err != nil {
		return usageError{err}
	}
	if t.items, err = report.Items(s.OutItems); err != nil {
		return usageError{err}
	}
	if s.Device != "cpu" {
		return usageError{fmt.Errorf("unavailable device %q: this build runs on the cpu", s.Device)}
	}
	if s.Out != "" {
		return report.CheckPath(s.Out)
	}
	return nil
}

// readData reads what the config says of the images.
func (t *test) readData(cfg *config.Config) error {
	root, err := cfg.Root().Section("data")
	if err != nil {
		return err
	}
	loader := struct {
		BatchSize int `config:"samples_per_gpu"`
	}{32}
	if err := root.Decode(&loader); err != nil {
		return err
	}
	if root.Has("test_dataloader") {
		section, err := root.Section("test_dataloader")
		if err != nil {
			return err
		}
		if err := section.Decode(&loader); err != nil {
			return err
		}
	}
	t.batchSize = loader.BatchSize
	if t.batchSize < 1 || t.batchSize > 1<<16 {
		return root.Errorf("samples_per_gpu", "want a batch size from 1, got %d", t.batchSize)
	}
	section, err := root.Section("test")
	if err != nil {
		return err
	}
	steps, err := section.Sections("pipeline")
	if err != nil {
		return err
	}
	if t.pipeline, err = preprocess.NewPipeline(steps); err != nil {
		return err
	}
	if t.data, err = dataset.FromConfig(section); err != nil {
		return err
	}
	return nil
}

// metricOptions reads --metric-options.
func metricOptions(items []string) (metrics.Options, error) {
	var o metrics.Options
	section, err := config.Options("--metric-options", items)
	if err != nil {
		return o, err
	}
	raw := struct {
		TopK    config.Value `config:"topk"`
		Thrs    config.Value `config:"thrs"`
		Average string       `config:"average_mode"`
	}{Average: "macro"}
	if err := section.DecodeStrict(&raw); err != nil {
		return o, err
	}
	switch raw.Average {
	case "macro":
	case "none":
		o.PerClass = true
	default:
		return o, section.Errorf("average_mode", "want macro or none, got %q", raw.Average)
	}
	switch k := raw.TopK.(type) {
	case nil:
	case int64:
		o.TopK, o.TopKScalar = []int{int(k)}, true
	default:
		var list struct {
			TopK []int `config:"topk"`
		}
		if err := section.Decode(&list); err != nil {
			return o, err
		}
		o.TopK = list.TopK
	}
	switch raw.Thrs.(type) {
	case nil:
	case int64, float64:
		var one struct {
			Thrs float64 `config:"thrs"`
		}
		if err := section.Decode(&one); err != nil {
			return o, err
		}
		o.Thresholds, o.ThresholdsScalar = []float64{one.Thrs}, true
	default:
		var list struct {
			Thrs []float64 `config:"thrs"`
		}
		if err := section.Decode(&list); err != nil {
			return o, err
		}
		o.Thresholds = list.Thrs
	}
	return o, o.Check()
}

// run computes the scores, prints the metrics and writes the result file.
func (t *test) run(cmd *cobra.Command) error {
	runner, err := cpu.New(t.plan, func(s tensor.Spec) ([]float32, error) { return t.ckpt.Float32(s.Name) }, cpu.Options{Threads: t.settings.Threads})
	if err != nil {
		return err
	}
	defer runner.Close()
	if err := t.ckpt.Verify(); err != nil {
		return err
	}
	bar := newProgress(cmd, len(t.data.Samples), "images")
	scores, err := eval.Predict(cmd.Context(), runner, t.pipeline, t.data.Samples, eval.Options{
		BatchSize: t.batchSize, Classes: t.plan.Head.Classes, Progress: bar.add,
	})
	bar.end()
	if err != nil {
		return err
	}
	result := report.Result{Scores: scores, Classes: t.classNames()}
	if len(t.settings.Metrics) > 0 {
		labels := make([]int, len(t.data.Samples))
		for i, s := range t.data.Samples {
			labels[i] = s.Label
		}
		if result.Metrics, err = metrics.Evaluate(scores, t.plan.Head.Classes, labels, t.settings.Metrics, t.options); err != nil {
			return err
		}
	}
	out := cmd.OutOrStdout()
	for _, m := range result.Metrics {
		fmt.Fprintf(out, "\n%s : %s\n", m.Key, metrics.Format(m))
		if m.Note != "" {
			note(cmd, "%s", m.Note)
		}
	}
	if t.settings.Out == "" {
		return nil
	}
	fmt.Fprintf(out, "\ndumping results to %s\n", t.settings.Out)
	return result.Write(t.settings.Out, t.items)
}

// classNames are the names that predictions are given: the checkpoint's, as in
// the original, else the data set's, else the labels themselves.
func (t *test) classNames() []string {
	n := t.plan.Head.Classes
	for _, names := range [][]string{t.ckpt.Classes, t.data.Classes} {
		if len(names) == n {
			return names
		}
	}
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprint(i)
	}
	return names
}
