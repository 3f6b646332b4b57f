package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"repvgg/internal/app"
	"repvgg/internal/convert"
	"repvgg/internal/model/repvgg"
)

func newReparameterizeCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reparameterize CFG SRC DST",
		Short: "Fuse a training checkpoint into deploy weights",
		Long: `Reparameterize fuses the branches of every RepVGG block of a training checkpoint
into one 3x3 convolution, and writes the deploy weights. They are bit-identical to
those of MMClassification's reparameterize_model.py. torch.load reads the file.

CFG is the train config. SRC is the training checkpoint: .pth in PyTorch's zip or
legacy format, or .safetensors, with the tensor names of MMClassification, of the
official RepVGG code or of timm. DST is the file to write, .pth or .safetensors.
Its tensors get MMClassification's names, or those that --names chooses.

With --verify, the written file is read back and both forms are run on seeded
input. If they differ by more than the tolerance, the command fails and keeps no
file.`,
		Example: `  repvgg reparameterize repvgg-A0 epoch_120.pth repvgg-A0_deploy.pth
  repvgg reparameterize configs/my_repvgg.py latest.pth out/deploy.pth --verify
  repvgg reparameterize A0 RepVGG-A0-train.pth RepVGG-A0-deploy.pth --names official
  repvgg reparameterize A0 timm/model.safetensors deploy.safetensors --names timm`,
		Args:              namedArgs,
		ValidArgsFunction: completeConfig,
		RunE:              withSettings(reparameterize),
	}
	cmd.Flags().Bool("verify", false, "read DST back, and compare both forms block by block")
	addNamesFlag(cmd, keyMapIDs()[0])
	addWeightFlags(cmd)
	addCommonFlags(cmd)
	return cmd
}

type reparameterizeSettings struct {
	overrideSettings
	weightSettings
	namesSettings
	threadSettings
	Verify bool `mapstructure:"verify"`
}

func reparameterize(cmd *cobra.Command, s *reparameterizeSettings, args []string) error {
	source, err := s.source(args[0], args[1], s.CfgOptions)
	if err != nil {
		return err
	}
	c := app.Conversion{
		Source: source,
		Dst:    args[2], Names: s.Names, Threads: s.Threads,
	}
	if err := app.CheckSuffix(c.Dst); err != nil {
		return usageError{err}
	}
	if err := s.check(); err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	if s.Verify {
		fmt.Fprintf(out, "%-24s %12s %12s %12s\n", "train against deploy", "max diff", "relative", "at most")
		c.Verify = func(d convert.Difference) {
			fmt.Fprintf(out, "%-24s %12.3g %12.3g %12.3g\n", d.Part, d.Max, d.Relative(), d.Tolerance)
		}
	}
	if err := app.Reparameterize(cmd.Context(), c, host(cmd)); err != nil {
		return hint(err)
	}
	fmt.Fprintf(out, "Done! Save at path \"%s\"\n", c.Dst)
	return nil
}

// keyMapIDs returns the values of --names, the default first.
func keyMapIDs() []string {
	var ids []string
	for _, k := range repvgg.KeyMaps() {
		ids = append(ids, k.ID)
	}
	return ids
}

// check returns an error if --names is not a known key map.
func (s *namesSettings) check() error {
	if s.Names == "" {
		return nil
	}
	return checkChoice("names", s.Names, keyMapIDs())
}
