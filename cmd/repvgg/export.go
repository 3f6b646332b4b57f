package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"repvgg/internal/atomicfile"
	"repvgg/internal/checkpoint"
	"repvgg/internal/convert"
	"repvgg/internal/model"
	"repvgg/internal/onnx"
	"repvgg/internal/recipe"
	"repvgg/internal/weights"
)

const onnxSuffix = ".onnx"

// exportOutputs are the values of --output, the default first.
var exportOutputs = []string{onnx.Probs, onnx.Logits}

func newExportCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export CFG CKPT DST",
		Short: "Write the deploy form as an ONNX model, or as a checkpoint",
		Long: `Export writes the deploy form of a network. CFG and CKPT may be of either form: a
training checkpoint is fused on the way. The train form itself is never exported.

DST is an ONNX model (.onnx, operators of version 13), for onnxruntime, TensorRT
and other runtimes. Its input, "input", is a batch of images as the config's
pipeline makes them, (batch, 3, height, width); its output is "probs", the
softmax, as of MMClassification's pytorch2onnx.py, or with --output logits
"logits". Batch, height and width are open unless --fix-batch and --fix-shape fix
them. Its metadata has the config's "pipeline" in words, with the means and
deviations that it normalises with, and a JSON list of the names of the "classes"
that CKPT recorded (deploy weights have none).

Or it is a checkpoint (.pth, .safetensors) with the tensor names that CKPT has, or
those that --names asks for.`,
		Example: `  repvgg export repvgg-A0 epoch_120.pth repvgg-A0.onnx
  repvgg export my_config.py latest.pth model.onnx --fix-batch 1 --fix-shape 224
  repvgg export my_config.py deploy.pth model.safetensors --names timm`,
		Args:              namedArgs,
		ValidArgsFunction: completeConfig,
		RunE: withSettings(func(cmd *cobra.Command, s *settings, args []string) error {
			return export(cmd, s, args[0], args[1], args[2])
		}),
	}
	f := cmd.Flags()
	f.Int("fix-batch", 0, "fix the number of images (0: open)")
	f.IntSlice("fix-shape", nil, "fix the size of the images: H or H W")
	addChoice(cmd, "output", exportOutputs, "what the model gives")
	addNamesFlag(cmd, "CKPT's")
	addEMAFlag(cmd)
	addOverridesFlag(cmd)
	markList(cmd, "fix-shape")
	return cmd
}

func export(cmd *cobra.Command, s *settings, cfgName, srcPath, dstPath string) error {
	if err := s.checkExport(cmd, dstPath); err != nil {
		return err
	}
	r, err := loadRecipe(cmd, cfgName, s.CfgOptions)
	if err != nil {
		return err
	}
	src, err := weights.Open(srcPath, r.Network, s.UseEMA)
	if err != nil {
		return err
	}
	defer src.Close()
	noteCheckpoint(cmd, s, src.File)
	if filepath.Ext(dstPath) == onnxSuffix {
		err = s.exportONNX(cmd, r, src, dstPath)
	} else {
		err = s.exportWeights(cmd, src, dstPath)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "Done! Save at path \"%s\"\n", dstPath)
	return nil
}

// exportWeights writes a checkpoint.
func (s *settings) exportWeights(cmd *cobra.Command, src *weights.Set, dstPath string) error {
	keys, err := s.keyMap(src.KeyMap)
	if err != nil {
		return err
	}
	return convert.WriteDeploy(cmd.Context(), src, dstPath, keys, nil)
}

// exportONNX writes an ONNX model.
func (s *settings) exportONNX(cmd *cobra.Command, r *recipe.Recipe, src *weights.Set, dstPath string) error {
	o := onnx.Options{Output: s.Output, Batch: s.FixBatch, Producer: "repvgg", Version: cmd.Root().Version}
	if p, err := r.Pipeline(); err == nil { // a config need not have one
		o.Metadata = append(o.Metadata, onnx.Property{Key: "pipeline", Value: p.String()})
	}
	if len(src.File.Classes) == src.Plan.Head.Classes {
		classes, err := json.Marshal(src.File.Classes)
		if err != nil {
			return err
		}
		o.Metadata = append(o.Metadata, onnx.Property{Key: "classes", Value: string(classes)})
	}
	if len(s.FixShape) > 0 {
		o.Height, o.Width = s.FixShape[0], s.FixShape[len(s.FixShape)-1]
	}
	network, err := onnx.New(src.Plan.As(model.Deploy), o)
	if err == nil {
		err = atomicfile.Probe(dstPath)
	}
	if err != nil {
		return fmt.Errorf("writing %q: %w", dstPath, err)
	}
	if atomicfile.Same(src.File.Path, dstPath) {
		return fmt.Errorf("writing %q: it is the checkpoint that is read; give another name", dstPath)
	}
	return network.Write(cmd.Context(), dstPath, src.Deploy(), src.Verify)
}

func (s *settings) checkExport(cmd *cobra.Command, dstPath string) error {
	ext := filepath.Ext(dstPath)
	useless := []string{"fix-batch", "fix-shape", "output"}
	if ext == onnxSuffix {
		useless = []string{"names"}
	}
	for _, name := range useless {
		if cmd.Flags().Changed(name) { // a setting that was not given here may be for other runs
			return usageHint(cmd, fmt.Errorf("--%s has no effect on %q", name, dstPath))
		}
	}
	switch suffixes := append([]string{onnxSuffix}, checkpoint.Suffixes...); {
	case !slices.Contains(suffixes, ext):
		return usageError{fmt.Errorf("writing %q: the path should end in one of %s, the formats that are written", dstPath, strings.Join(suffixes, " "))}
	case s.FixBatch < 0 || s.FixBatch > recipe.MaxBatch:
		return usageHint(cmd, fmt.Errorf("--fix-batch %d: want a number up to %d", s.FixBatch, recipe.MaxBatch))
	case len(s.FixShape) > 2 || slices.ContainsFunc(s.FixShape, func(v int) bool { return v < 1 || v > model.MaxSide }):
		return usageHint(cmd, fmt.Errorf("--fix-shape %v: want one size or height and width, from 1 to %d", s.FixShape, model.MaxSide))
	}
	if err := checkChoice("output", s.Output, exportOutputs); err != nil {
		return err
	}
	_, err := s.keyMap(nil)
	return err
}
