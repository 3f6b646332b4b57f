package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"repvgg/internal/checkpoint"
	"repvgg/internal/convert"
	"repvgg/internal/cpu"
	"repvgg/internal/engine"
	"repvgg/internal/model"
	"repvgg/internal/model/repvgg"
	"repvgg/internal/recipe"
	"repvgg/internal/tensor"
	"repvgg/internal/weights"
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
	addNamesFlag(cmd, keyMapIDs()[0])
	addEMAFlag(cmd)
	addCommonFlags(cmd)
	return cmd
}

func reparameterize(cmd *cobra.Command, s *settings, cfgName, srcPath, dstPath string) error {
	if !slices.Contains(checkpoint.Suffixes, filepath.Ext(dstPath)) {
		return usageError{fmt.Errorf("writing checkpoint %q: the path should end in %s, the formats that are written", dstPath, strings.Join(checkpoint.Suffixes, " or "))}
	}
	keys, err := s.keyMap(repvgg.MMClassification)
	if err != nil {
		return err
	}
	r, err := loadRecipe(cmd, cfgName, s.CfgOptions)
	if err != nil {
		return err
	}
	plan := r.Network
	if plan.Form == model.Deploy {
		return fmt.Errorf("config %q describes the deploy form; give the train config, whose blocks have branches to fuse", cfgName)
	}
	src, err := weights.OpenForm(srcPath, plan, s.UseEMA)
	if err != nil {
		return formHint(err)
	}
	defer src.Close()
	noteCheckpoint(cmd, s, src.File)
	if has := src.KeyMap; has != keys && s.Names == "" {
		note(cmd, "%q has the tensor names of %s, DST gets those of %s (--names %s keeps them)", srcPath, has.Owner, keys.Owner, has.ID)
	}
	var check func(string) error
	if s.Verify {
		check = func(tmp string) error { return verify(cmd, s, src, tmp, dstPath) }
	}
	if err := convert.WriteDeploy(cmd.Context(), src, dstPath, keys, check); err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "Done! Save at path \"%s\"\n", dstPath)
	return nil
}

// formHint says how a checkpoint of the other form than the config's is used.
func formHint(err error) error {
	var form *weights.FormError
	switch {
	case !errors.As(err, &form):
		return err
	case form.Has == model.Deploy:
		return fmt.Errorf("checkpoint %q holds the deploy form, which needs no conversion; test it with the deploy config, or with --cfg-options model.backbone.deploy=True", form.Path)
	default:
		return fmt.Errorf("checkpoint %q holds the train form, but the config is a deploy config; use the train config, or convert the checkpoint with repvgg reparameterize", form.Path)
	}
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

// keyMapIDs are the values of --names, the default first.
func keyMapIDs() []string {
	var ids []string
	for _, k := range repvgg.KeyMaps() {
		ids = append(ids, k.ID)
	}
	return ids
}

// keyMap is the one that --names asks for.
func (s *settings) keyMap(otherwise *model.KeyMap) (*model.KeyMap, error) {
	if s.Names == "" {
		return otherwise, nil
	}
	ids := keyMapIDs()
	if err := checkChoice("names", s.Names, ids); err != nil {
		return nil, err
	}
	return repvgg.KeyMaps()[slices.Index(ids, s.Names)], nil
}

// loadRecipe reads the network of a config for a command that has no use for the
// images.
func loadRecipe(cmd *cobra.Command, name string, overrides []string) (*recipe.Recipe, error) {
	r, err := recipe.Load(name, overrides)
	if err == nil {
		noteConfig(cmd, r)
	}
	return r, err
}

// noteConfig passes on what a user should know of a config once the parts of it that
// the command uses were read.
func noteConfig(cmd *cobra.Command, r *recipe.Recipe) {
	for _, w := range r.Warnings() {
		note(cmd, "%s", w)
	}
	for _, override := range r.Unread() {
		note(cmd, "--cfg-options %s: nothing reads this key", override)
	}
}

// note prints something worth knowing that is no failure.
func note(cmd *cobra.Command, format string, args ...any) {
	fmt.Fprintf(cmd.ErrOrStderr(), "repvgg: note: "+format+"\n", args...)
}

// verify reads the written file back, which still has a temporary name, and
// compares both forms.
func verify(cmd *cobra.Command, s *settings, src *weights.Set, tmp, dstPath string) error {
	dst, err := weights.OpenForm(tmp, src.Plan.As(model.Deploy), false)
	if err != nil {
		return err
	}
	defer dst.Close()
	dst.File.Path = dstPath // what messages should name
	newRunner := func(p *model.Plan, weights tensor.Source) (engine.Runner, error) {
		return cpu.New(p, tensor.Interruptible(cmd.Context(), weights), cpu.Options{Threads: s.Threads})
	}
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "%-24s %12s %12s %12s\n", "train against deploy", "max diff", "relative", "at most")
	err = convert.Verify(cmd.Context(), src, dst, newRunner, func(d convert.Difference) {
		fmt.Fprintf(out, "%-24s %12.3g %12.3g %12.3g\n", d.Part, d.Max, d.Relative(), d.Tolerance)
	})
	var mismatch *convert.Mismatch
	if errors.As(err, &mismatch) && mismatch.Amplified {
		return fmt.Errorf("%w: convert without --verify to keep the file", err)
	}
	return err
}
