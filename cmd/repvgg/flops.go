package main

import (
	"errors"

	"github.com/spf13/cobra"

	"repvgg/internal/flops"
	"repvgg/internal/model"
	"repvgg/internal/recipe"
)

func newFlopsCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "flops CFG",
		Short: "Count a network's parameters and operations",
		Long: `Flops prints what MMClassification's tools/analysis_tools/get_flops.py prints: the
tree of the network's modules with the parameters and operations of each, then the
totals. The published table shows the same totals.

Operations are counted as in the original. A multiply-accumulate is one operation.
Batch normalization, ReLU and pooling count; additions and the final linear layer
do not. In the deploy form, squeeze-and-excitation is included. The original, and
so the published figure for D2se, leaves it out.`,
		Example: `  repvgg flops repvgg-A0
  repvgg flops repvgg-A0_deploy --shape 320
  repvgg flops my_config.py --shape 192 256 --cfg-options model.backbone.deploy=True`,
		Args:              namedArgs,
		ValidArgsFunction: completeConfig,
		RunE:              withSettings(countFLOPs),
	}
	cmd.Flags().IntSlice("shape", []int{224, 224}, "size of the image: H or H W")
	markList(cmd, "shape")
	addOverridesFlag(cmd)
	return cmd
}

type flopsSettings struct {
	overrideSettings
	Shape []int `mapstructure:"shape"`
}

func countFLOPs(cmd *cobra.Command, s *flopsSettings, args []string) error {
	if len(s.Shape) != 1 && len(s.Shape) != 2 {
		return usageHint(cmd, errors.New("--shape takes one size or height and width"))
	}
	h, w := s.Shape[0], s.Shape[len(s.Shape)-1]
	r, err := recipe.Load(args[0], s.CfgOptions)
	if err != nil {
		return err
	}
	plan := r.Network
	details, err := r.Details()
	if err != nil {
		return err
	}
	tree, err := flops.Tree(plan, details, h, w)
	if err != nil {
		return err
	}
	host(cmd).NoteRecipe(r)
	if plan.Form == model.Deploy && plan.Blocks[0].SE != nil {
		note(cmd, "the totals include squeeze-and-excitation, which the original's deploy form leaves out")
	}
	return flops.Write(cmd.OutOrStdout(), tree, plan.InChannels, h, w)
}
