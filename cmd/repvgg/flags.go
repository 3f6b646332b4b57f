package main

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"repvgg/internal/app"
	"repvgg/internal/checkpoint"
)

// listFlag marks a flag that takes one or more values, like argparse's nargs='+':
// --metrics accuracy precision.
const listFlag = "repvgg_list"

// markList lets a flag of the command take several values in a row.
func markList(cmd *cobra.Command, name string) {
	if err := cmd.Flags().SetAnnotation(name, listFlag, []string{"true"}); err != nil {
		panic(err) // the flag was not defined: a mistake in this program
	}
}

// offer registers the values of a flag for shell completion.
func offer(cmd *cobra.Command, name string, values []string) {
	if err := cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag was not defined: a mistake in this program
	}
}

// addChoice defines a flag that takes one of the values. The first is the default.
func addChoice(cmd *cobra.Command, name string, values []string, usage string) {
	cmd.Flags().String(name, values[0], usage+": "+strings.Join(values, ", "))
	offer(cmd, name, values)
}

// checkChoice returns a usage error if value is not one of values.
func checkChoice(name, value string, values []string) error {
	if slices.Contains(values, value) {
		return nil
	}
	return usageError{fmt.Errorf("--%s %s: want one of %s", name, value, strings.Join(values, ", "))}
}

// addNamesFlag defines --names. otherwise describes the default.
func addNamesFlag(cmd *cobra.Command, otherwise string) {
	ids := keyMapIDs()
	cmd.Flags().String("names", "", "tensor names to write: "+strings.Join(ids, ", ")+" (default "+otherwise+")")
	offer(cmd, "names", ids)
}

// addChoiceFlags defines the flags that choose one of a checkpoint's state dicts.
func addChoiceFlags(cmd *cobra.Command) {
	cmd.Flags().String("key", "", "key of the state dict to read from the checkpoint (default: the most likely one)")
	cmd.Flags().Bool("use-ema", false, "use the EMA weights that the checkpoint keeps under "+strings.Join(checkpoint.AverageKeys, ", "))
}

// choice returns which of a checkpoint's state dicts to read.
func (s *choiceSettings) choice() checkpoint.Choice {
	return checkpoint.Choice{Averaged: s.UseEMA, Key: s.Key}
}

// addWeightFlags defines the flags of commands that read weights from a checkpoint.
func addWeightFlags(cmd *cobra.Command) {
	addChoiceFlags(cmd)
	cmd.Flags().StringArray("ignore", nil, "leave out tensors of the checkpoint with names like this pattern (* stands for anything); may be given several times")
}

// checkPatterns refuses patterns that are none.
func (s *weightSettings) checkPatterns() error {
	for _, pattern := range s.Ignore {
		if _, err := path.Match(pattern, ""); err != nil || pattern == "" {
			return usageError{fmt.Errorf("--ignore %q: want a pattern of tensor names, such as 'neck.*'", pattern)}
		}
	}
	return nil
}

// source is a network with its weights.
func (s *weightSettings) source(cfg, ckpt string, overrides []string) (app.Source, error) {
	return app.Source{Config: cfg, Overrides: overrides, Checkpoint: ckpt, Choice: s.choice(), Ignore: s.Ignore}, s.checkPatterns()
}

func addCommonFlags(cmd *cobra.Command) {
	addOverridesFlag(cmd)
	cmd.Flags().Int("threads", 0, "number of threads (0: all cores)")
}

func addOverridesFlag(cmd *cobra.Command) {
	cmd.Flags().StringArray("cfg-options", nil, "override entries of the config: KEY=VALUE ...")
	markList(cmd, "cfg-options")
}
