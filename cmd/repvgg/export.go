package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"repvgg/internal/app"
	"repvgg/internal/checkpoint"
	"repvgg/internal/model"
	"repvgg/internal/onnx"
	"repvgg/internal/recipe"
)

// exportOutputs are the values of --output, the default first.
var exportOutputs = []string{onnx.Probs, onnx.Logits}

func newExportCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export CFG CKPT DST",
		Short: "Write the deploy form as an ONNX model or a checkpoint",
		Long: `Export writes the deploy form of a network. CFG and CKPT may have either form; a
training checkpoint is fused first. The train form itself is never exported.

If DST ends in .onnx, it is an ONNX model with the operators of version 13, for
onnxruntime, TensorRT and other runtimes. Its input is named "input": a batch of
images as the config's pipeline makes them, with the shape (batch, 3, height,
width). Its output is named "probs": the softmax, as in MMClassification's
pytorch2onnx.py. With --output logits, the output is named "logits" instead. Batch
size, height and width are dynamic unless --fix-batch and --fix-shape set them. The
model's metadata describes the "pipeline", including the mean and the standard
deviation of the normalization. If CKPT records the class names, the metadata also
has them as a JSON list, "classes". Deploy weights do not record any.

If DST ends in .pth or .safetensors, it is a checkpoint. Its tensors keep the names
that they have in CKPT, or get those that --names chooses.`,
		Example: `  repvgg export repvgg-A0 epoch_120.pth repvgg-A0.onnx
  repvgg export my_config.py latest.pth model.onnx --fix-batch 1 --fix-shape 224
  repvgg export my_config.py deploy.pth model.safetensors --names timm`,
		Args:              namedArgs,
		ValidArgsFunction: completeConfig,
		RunE:              withSettings(export),
	}
	f := cmd.Flags()
	f.Int("fix-batch", 0, "fix the batch size (0: dynamic)")
	f.IntSlice("fix-shape", nil, "fix the size of the images: H or H W (default: dynamic)")
	addChoice(cmd, "output", exportOutputs, "output of the model")
	addNamesFlag(cmd, "CKPT's")
	addWeightFlags(cmd)
	addOverridesFlag(cmd)
	markList(cmd, "fix-shape")
	return cmd
}

type exportSettings struct {
	overrideSettings
	weightSettings
	namesSettings
	Output   string `mapstructure:"output"`
	FixBatch int    `mapstructure:"fix-batch"`
	FixShape []int  `mapstructure:"fix-shape"`
}

func export(cmd *cobra.Command, s *exportSettings, args []string) error {
	source, err := s.source(args[0], args[1], s.CfgOptions)
	if err != nil {
		return err
	}
	e := app.Exporting{
		Source: source,
		Dst:    args[2], Names: s.Names,
		ONNX: onnx.Options{Output: s.Output, Batch: s.FixBatch, Producer: "repvgg", Version: cmd.Root().Version},
	}
	if err := s.check(cmd, e.Dst); err != nil {
		return err
	}
	if n := len(s.FixShape); n > 0 {
		e.ONNX.Height, e.ONNX.Width = s.FixShape[0], s.FixShape[n-1]
	}
	if err := app.Export(cmd.Context(), e, host(cmd)); err != nil {
		return hint(err)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "Done! Save at path \"%s\"\n", e.Dst)
	return nil
}

func (s *exportSettings) check(cmd *cobra.Command, dstPath string) error {
	ext := filepath.Ext(dstPath)
	useless := []string{"fix-batch", "fix-shape", "output"}
	if ext == app.ONNXSuffix {
		useless = []string{"names"}
	}
	for _, name := range useless {
		if cmd.Flags().Changed(name) { // a value from repvgg.yaml or the environment may be meant for other runs
			return usageHint(cmd, fmt.Errorf("--%s has no effect on %q", name, dstPath))
		}
	}
	switch suffixes := append([]string{app.ONNXSuffix}, checkpoint.Suffixes...); {
	case !slices.Contains(suffixes, ext):
		return usageError{fmt.Errorf("writing %q: the path must end in one of %s", dstPath, strings.Join(suffixes, " "))}
	case s.FixBatch < 0 || s.FixBatch > recipe.MaxBatch:
		return usageHint(cmd, fmt.Errorf("--fix-batch %d: want a number up to %d", s.FixBatch, recipe.MaxBatch))
	case len(s.FixShape) > 2 || slices.ContainsFunc(s.FixShape, func(v int) bool { return v < 1 || v > model.MaxSide }):
		return usageHint(cmd, fmt.Errorf("--fix-shape %v: want one size or height and width, from 1 to %d", s.FixShape, model.MaxSide))
	}
	if err := checkChoice("output", s.Output, exportOutputs); err != nil {
		return err
	}
	return s.namesSettings.check()
}
