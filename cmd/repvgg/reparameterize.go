package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"repvgg/internal/checkpoint"
	"repvgg/internal/config"
	"repvgg/internal/convert"
	"repvgg/internal/cpu"
	"repvgg/internal/model"
	"repvgg/internal/tensor"
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
		RunE: withSettings(func(cmd *cobra.Command, s *settings, args []string) error {
			return reparameterize(cmd, s, args[0], args[1], args[2])
		}),
	}
	cmd.Flags().Bool("verify", false, "read DST back and compare both forms block by block")
	addNamesFlag(cmd, namingIDs()[0])
	addEMAFlag(cmd)
	addCommonFlags(cmd)
	return cmd
}

func reparameterize(cmd *cobra.Command, s *settings, cfgName, srcPath, dstPath string) error {
	if !slices.Contains(checkpoint.Suffixes, filepath.Ext(dstPath)) {
		return usageError{fmt.Errorf("writing checkpoint %q: the path should end in %s, the formats that are written", dstPath, strings.Join(checkpoint.Suffixes, " or "))}
	}
	naming, err := s.naming(convert.MMClassification)
	if err != nil {
		return err
	}
	_, plan, err := loadPlan(cmd, cfgName, s.CfgOptions)
	if err != nil {
		return err
	}
	if plan.Form == model.Deploy {
		return fmt.Errorf("config %q describes the deploy form; give the train config, whose blocks have branches to fuse", cfgName)
	}
	src, err := convert.Open(srcPath, s.UseEMA)
	if err != nil {
		return err
	}
	defer src.Close()
	if err := convert.Match(src, plan); err != nil {
		return err
	}
	noteCheckpoint(cmd, s, src)
	if has := convert.NamingOf(src); has != naming && s.Names == "" {
		note(cmd, "%q has the tensor names of %s, DST gets those of %s (--names %s keeps them)", srcPath, has.Owner, naming.Owner, has.ID)
	}
	var check func(string) error
	if s.Verify {
		check = func(tmp string) error { return verify(cmd, s, plan, src, tmp, dstPath) }
	}
	if err := convert.WriteDeploy(cmd.Context(), plan, src, dstPath, naming, check); err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "Done! Save at path \"%s\"\n", dstPath)
	return nil
}

// noteCheckpoint says what a user should know of a checkpoint, and what becomes of
// averaged weights.
func noteCheckpoint(cmd *cobra.Command, s *settings, c *checkpoint.File) {
	if c.Averages > 0 {
		note(cmd, "%q also holds %d averaged tensors, which are left out (--use-ema takes those under %s)", c.Path, c.Averages, strings.Join(checkpoint.AverageKeys, ", "))
	}
	if c.Averaged && !s.UseEMA {
		note(cmd, "%q holds averaged weights only (%s): they are used", c.Path, c.Key)
	}
	for _, n := range c.Notes() {
		note(cmd, "%s", n)
	}
}

// namingIDs are the values of --names, the default first.
func namingIDs() []string {
	var ids []string
	for _, n := range convert.Namings {
		ids = append(ids, n.ID)
	}
	return ids
}

// naming is the one that --names asks for.
func (s *settings) naming(otherwise *convert.Naming) (*convert.Naming, error) {
	if s.Names == "" {
		return otherwise, nil
	}
	ids := namingIDs()
	if err := checkChoice("names", s.Names, ids); err != nil {
		return nil, err
	}
	return convert.Namings[slices.Index(ids, s.Names)], nil
}

// loadPlan reads a config and the network it describes.
func loadPlan(cmd *cobra.Command, name string, overrides []string) (*config.Config, *model.Plan, error) {
	cfg, err := config.Load(name, overrides)
	if err != nil {
		return nil, nil, err
	}
	plan, err := model.FromConfig(cfg)
	if err != nil {
		return nil, nil, err
	}
	noteConfig(cmd, cfg, "data.")
	return cfg, plan, nil
}

// noteConfig passes on what a user should know of a config once it was read.
// Overrides below a part that the command has no use for are no mistakes: one
// list of overrides may serve several commands.
func noteConfig(cmd *cobra.Command, cfg *config.Config, unused string) {
	for _, w := range cfg.Warnings() {
		note(cmd, "%s", w)
	}
	for _, key := range cfg.Unread() {
		if unused == "" || !strings.HasPrefix(key, unused) {
			note(cmd, "--cfg-options %s: nothing reads this key", key)
		}
	}
}

// note prints something worth knowing that is no failure.
func note(cmd *cobra.Command, format string, args ...any) {
	fmt.Fprintf(cmd.ErrOrStderr(), "repvgg: note: "+format+"\n", args...)
}

// verify reads the written file back, which still has a temporary name, and
// compares both forms.
func verify(cmd *cobra.Command, s *settings, plan *model.Plan, src *checkpoint.File, tmp, dstPath string) error {
	dst, err := convert.Open(tmp, false)
	if err != nil {
		return err
	}
	defer dst.Close()
	dst.Path = dstPath // what messages should name
	newRunner := func(p *model.Plan, weights func(tensor.Spec) ([]float32, error)) (convert.Runner, error) {
		return cpu.New(p, interruptible(cmd.Context(), weights), cpu.Options{Threads: s.Threads})
	}
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "%-24s %12s %12s %12s\n", "train against deploy", "max diff", "relative", "at most")
	return convert.Verify(cmd.Context(), plan, src, dst, newRunner, func(d convert.Difference) {
		fmt.Fprintf(out, "%-24s %12.3g %12.3g %12.3g\n", d.Part, d.Max, d.Relative(), d.Tolerance)
	})
}
