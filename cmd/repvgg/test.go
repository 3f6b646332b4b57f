package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"repvgg/internal/metrics"
	"repvgg/internal/report"
	"repvgg/internal/shard"
)

func newTestCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "test CFG CKPT",
		Short: "Measure the accuracy of a checkpoint on its config's test images",
		Long: `Test runs the images of the config's data.test through its pipeline and the
network. It prints the metrics as MMClassification's tools/test.py prints them.

CFG and CKPT must have the same form: a train config with a training checkpoint,
or a deploy config with deploy weights. To use a train config with deploy weights,
add --cfg-options model.backbone.deploy=True.

At least one output is required: --metrics, --out, --compare, --confusion,
--per-class, --show-dir or --profile-input.

A flag that takes several values (--metrics a b) ends at the next flag, as in the
original.`,
		Example: `  repvgg test repvgg-A0_deploy a0_deploy.pth --metrics accuracy --cfg-options data.test.data_prefix=/imagenet/val data.test.ann_file=/imagenet/val.txt
  repvgg test my_config.py latest.pth --metrics accuracy precision recall f1_score support
  repvgg test my_config.py deploy.pth --metrics accuracy --cfg-options model.backbone.deploy=True
  repvgg test my_config.py latest.pth --out scores.json --out-items class_scores pred_label filename
  repvgg test my_config.py latest.pth --metrics accuracy --confusion confusion.png --per-class classes.csv --show-dir painted
  repvgg test my_config.py latest.pth --compare deploy.pth
  torchrun --nproc_per_node 4 --no_python repvgg test my_config.py latest.pth --metrics accuracy --launcher pytorch`,
		Args:              namedArgs,
		ValidArgsFunction: completeConfig,
		RunE:              withSettings(test),
	}
	addTestFlags(cmd)
	addWeightFlags(cmd)
	addCommonFlags(cmd)
	return cmd
}

// addTestFlags defines the original's flags, then our own.
func addTestFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringSlice("metrics", nil, "metrics to compute: "+strings.Join(metrics.Names(), " "))
	f.StringArray("metric-options", nil, "options of the metrics: 'topk=(1,5)' thrs=0.5 average_mode=none ...")
	f.String("out", "", "file to write the metrics and predictions to (.json, .yaml, .yml, .pkl, .pickle)")
	f.StringSlice("out-items", []string{"all"}, "what to write to --out besides the metrics: class_scores pred_score pred_label pred_class filename gt_label; all is the first four, none is none of those four")
	f.String("show-dir", "", "folder to write the images to, with the prediction, its score and the true class painted on them")
	f.Bool("show", false, "same as --show-dir show (no window is opened)")
	f.StringArray("show-options", nil, "accepted for compatibility; has no effect")
	f.String("device", deviceAuto, "where to run: cpu, or cuda for an NVIDIA GPU; auto means cpu")
	f.String("precision", "fp32", precisionHelp())
	f.String("launcher", "none", "launcher that started several processes to share the images: none pytorch slurm mpi")
	f.String("tmpdir", "", "with --launcher: shared folder to gather the results through; must not exist yet (default .dist_test/JOB in the current folder, if the launcher sets a job name)")
	f.Bool("gpu-collect", false, "accepted for compatibility; has no effect: results are gathered through --tmpdir")
	f.Int("gpu-id", 0, "with --device cuda: number of the GPU to run on; with --launcher, each process takes its own GPU instead")
	f.IntSlice("gpu-ids", nil, "deprecated: use --gpu-id; only the first is used")
	f.Int("local_rank", 0, "set by PyTorch's launcher")
	f.String("compare", "", "second checkpoint, of either form, to run on the same images; reports where the two differ")
	f.String("compare-out", "", "file to write the report of --compare to (.json, .csv)")
	f.String("confusion", "", "file to write the confusion matrix to (.png, .svg, .csv)")
	f.String("per-class", "", "file to write the metrics of each class to (.csv)")
	f.Bool("skip-bad-images", false, "leave out images that can't be read, and list them")
	f.Bool("profile-input", false, "also print how long it takes to read and transform an image")
	// The launcher of PyTorch 2 spells this flag with a dash.
	f.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if name == "local-rank" {
			name = "local_rank"
		}
		return pflag.NormalizedName(name)
	})
	for _, name := range []string{"metrics", "metric-options", "out-items", "show-options", "gpu-ids"} {
		markList(cmd, name)
	}
	for name, values := range map[string][]string{
		"metrics":   metrics.Names(),
		"out-items": {report.ClassScores, report.PredScore, report.PredLabel, report.PredClass, report.Filename, report.GTLabel, "none", "all"},
		"device":    {deviceAuto, deviceCPU, deviceCUDA},
		"precision": allPrecisions(),
		"launcher":  shard.Launchers,
	} {
		offer(cmd, name, values)
	}
}
