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
		Long: `Reparameterize fuses the three branches of every RepVGG block of a training
checkpoint into one 3x3 convolution, and writes the deploy weights as PyTorch
would: bit for bit those of MMClassification's reparameterize_model.py, readable
by torch.load.

CFG is the train config, SRC the checkpoint: .pth in torch's zip or legacy
format, or .safetensors, with the tensor names of MMClassification, of the
official RepVGG code or of timm. DST is the file to write, .pth or .safetensors,
with MMClassification's names or those that --names asks for.

With --verify the written file is read back and both forms are run on seeded
input; a difference above the tolerance fails.`,
		Example: `  repvgg reparameterize repvgg-A0 epoch_120.pth repvgg-A0_deploy.pth
  repvgg reparameterize configs/my_repvgg.py latest.pth out/deploy.pth --verify
  repvgg reparameterize A0 RepVGG-A0-train.pth RepVGG-A0-deploy.pth --names official
  repvgg reparameterize A0 timm/model.safetensors deploy.safetensors --names timm`,
		Args:              namedArgs,
		ValidArgsFunction: completeConfig,
		RunE:              withSettings(reparameterize),
	}
	cmd.Flags().Bool("verify", false, "read DST back and compare both forms block by block")
	addNamesFlag(cmd, keyMapIDs()[0])
	addEMAFlag(cmd)
	addCommonFlags(cmd)
	return cmd
}

type reparameterizeSettings struct {
	overrideSettings
	emaSettings
	namesSettings
	threadSettings
	Verify bool `mapstructure:"verify"`
}

func reparameterize(cmd *cobra.Command, s *reparameterizeSettings, args []string) error {
	c := app.Conversion{
		Source: app.Source{Config: args[0], Overrides: s.CfgOptions, Checkpoint: args[1], EMA: s.UseEMA},
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

// keyMapIDs are the values of --names, the default first.
func keyMapIDs() []string {
	var ids []string
	for _, k := range repvgg.KeyMaps() {
		ids = append(ids, k.ID)
	}
	return ids
}

// check refuses names that no framework has.
func (s *namesSettings) check() error {
	if s.Names == "" {
		return nil
	}
	return checkChoice("names", s.Names, keyMapIDs())
}
