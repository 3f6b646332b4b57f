package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"repvgg/internal/atomicfile"
	"repvgg/internal/convert"
	"repvgg/internal/model"
	"repvgg/internal/onnx"
	"repvgg/internal/tensor"
)

// exportOutputs are the values of --output, the default first.
var exportOutputs = []string{onnx.Probs, onnx.Logits}

func newExportCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export CFG CKPT DST",
		Short: "Write the deploy form as an ONNX model",
		Long: `Export writes the deploy form of a network as an ONNX model (operators of version
13), for onnxruntime, TensorRT and other runtimes. CFG and CKPT may be of either
form: a training checkpoint is fused on the way. The train form itself is never
exported.

The input, "input", is a batch of images as the config's pipeline makes them,
(batch, 3, height, width); the output is "probs", the softmax, as of
MMClassification's pytorch2onnx.py, or with --output logits "logits". Batch,
height and width are open unless --fix-batch and --fix-shape fix them.`,
		Example: `  repvgg export repvgg-A0 epoch_120.pth repvgg-A0.onnx
  repvgg export my_config.py latest.pth model.onnx --fix-batch 1 --fix-shape 224`,
		Args:              exactArgs(3),
		ValidArgsFunction: completeConfig,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := readSettings(cmd)
			if err != nil {
				return err
			}
			return export(cmd, s, args[0], args[1], args[2])
		},
	}
	f := cmd.Flags()
	f.Int("fix-batch", 0, "fix the number of images")
	f.IntSlice("fix-shape", nil, "fix the size of the images: H or H W")
	f.String("output", exportOutputs[0], "what the model gives: "+strings.Join(exportOutputs, ", "))
	f.StringArray("cfg-options", nil, "override entries of the config: KEY=VALUE ...")
	addEMAFlag(cmd)
	for _, name := range []string{"fix-shape", "cfg-options"} {
		markList(cmd, name)
	}
	if err := cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(exportOutputs, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag does not exist
	}
	return cmd
}

func export(cmd *cobra.Command, s *settings, cfgName, srcPath, dstPath string) error {
	o, err := exportOptions(cmd, s, dstPath)
	if err != nil {
		return err
	}
	plan, err := loadPlan(cmd, cfgName, s.CfgOptions)
	if err != nil {
		return err
	}
	src, err := convert.Open(srcPath, s.UseEMA)
	if err != nil {
		return err
	}
	defer src.Close()
	if sameFile(srcPath, dstPath) {
		return fmt.Errorf("writing %q: it is the checkpoint itself; give another name", dstPath)
	}
	// Before a training checkpoint is fused, which takes time and room.
	deploy := plan.As(model.Deploy)
	err = onnx.Check(deploy, o)
	if err == nil {
		err = atomicfile.Probe(dstPath)
	}
	if err != nil {
		return fmt.Errorf("writing %q: %w", dstPath, err)
	}
	form, ok := model.FormOf(src.Names)
	if !ok {
		form = plan.Form // what is wrong, Match says best
	}
	if err := convert.Match(src, plan.As(form)); err != nil {
		return err
	}
	noteAverages(cmd, s, src)
	if form == model.Train {
		fused, remove, err := convert.Fuse(cmd.Context(), plan, src)
		if err != nil {
			return err
		}
		defer remove()
		src = fused
	}
	weights := func(t tensor.Spec) ([]float32, error) { return src.Float32(t.Name) }
	if err := onnx.Write(cmd.Context(), dstPath, deploy, weights, src.Verify, o); err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "Done! Save at path \"%s\"\n", dstPath)
	return nil
}

func exportOptions(cmd *cobra.Command, s *settings, dstPath string) (onnx.Options, error) {
	o := onnx.Options{Output: s.Output, Producer: "repvgg", Version: cmd.Root().Version}
	switch {
	case filepath.Ext(dstPath) != ".onnx":
		return o, usageError{fmt.Errorf("writing %q: the path should end in .onnx, the format that is written", dstPath)}
	case !slices.Contains(exportOutputs, s.Output):
		return o, usageError{fmt.Errorf("--output %s: want one of %s", s.Output, strings.Join(exportOutputs, ", "))}
	case s.FixBatch < 0 || s.FixBatch > maxBatch:
		return o, usageHint(cmd, fmt.Errorf("--fix-batch %d: want a number from 1 to %d", s.FixBatch, maxBatch))
	case len(s.FixShape) > 2 || slices.ContainsFunc(s.FixShape, func(v int) bool { return v < 1 || v > model.MaxSide }):
		return o, usageHint(cmd, fmt.Errorf("--fix-shape %v: want one size or height and width, from 1 to %d", s.FixShape, model.MaxSide))
	}
	o.Batch = s.FixBatch
	if len(s.FixShape) > 0 {
		o.Height, o.Width = s.FixShape[0], s.FixShape[len(s.FixShape)-1]
	}
	return o, nil
}
