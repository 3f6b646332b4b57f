package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"repvgg/internal/metrics"
	"repvgg/internal/report"
	"repvgg/internal/shard"
)

func newTestCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "test CFG CKPT",
		Short: "Measure a checkpoint on the images of its config",
		Long: `Test runs the images of the config's data.test through its pipeline and the
network, and prints the metrics as MMClassification's tools/test.py prints them.

CFG and CKPT are of the same form: a train config with a training checkpoint, or
a deploy config with what repvgg reparameterize wrote. A train config becomes a
deploy config by --cfg-options model.backbone.deploy=True.

At least one output is wanted: --metrics, --out, --compare, --confusion,
--per-class, --show-dir or --profile-input.

Flags that take several values (--metrics a b) end at the next flag, as in the
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
	addEMAFlag(cmd)
	addCommonFlags(cmd)
	return cmd
}

// addTestFlags defines the original's flags, then ours.
func addTestFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringSlice("metrics", nil, "what to compute: accuracy precision recall f1_score support")
	f.StringArray("metric-options", nil, "options of the metrics: 'topk=(1,5)' thrs=0.5 average_mode=none ...")
	f.String("out", "", "file to write the metrics and predictions to (.json, .yaml, .yml, .pkl, .pickle)")
	f.StringSlice("out-items", []string{"all"}, "what else the file holds: class_scores pred_score pred_label pred_class filename gt_label, none (whatever else is named) or all (the first four)")
	f.String("show-dir", "", "folder to write the images to, with label, score and truth painted on them")
	f.Bool("show", false, "as --show-dir show (no window is opened)")
	f.StringArray("show-options", nil, "accepted, without effect")
	f.String("device", deviceAuto, "where to run: cpu, or cuda for an NVIDIA GPU; auto is the cpu")
	f.String("precision", "fp32", precisionHelp())
	f.String("launcher", "none", "what started this process among others that share the images: none pytorch slurm mpi")
	f.String("tmpdir", "", "folder, seen by all, through which the processes of a launcher gather their results (default .dist_test/JOB in the current folder, if the launcher names its job); must not exist")
	f.Bool("gpu-collect", false, "accepted, without effect: results are gathered through --tmpdir")
	f.Int("gpu-id", 0, "GPU to run on, with --device cuda; the processes of a launcher share out all GPUs instead")
	f.IntSlice("gpu-ids", nil, "deprecated: use --gpu-id; the first counts")
	f.Int("local_rank", 0, "set by PyTorch's launcher")
	f.String("compare", "", "second checkpoint to run on the same images, of either form: reports where they differ")
	f.String("compare-out", "", "file to write that report to (.json, .csv)")
	f.String("confusion", "", "file to write the confusion matrix to (.png, .svg, .csv)")
	f.String("per-class", "", "file to write the metrics of each class to (.csv)")
	f.Bool("skip-bad-images", false, "leave out images that can't be read, and list them")
	f.Bool("profile-input", false, "also print the time that reading and transforming an image takes")
	// PyTorch 2 spells its launcher's flag in the other way.
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
