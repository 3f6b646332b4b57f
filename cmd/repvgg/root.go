package main

import (
	"runtime/debug"

	"github.com/spf13/cobra"
)

func newRootCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "repvgg",
		Short: "Convert, check and measure RepVGG models",
		Long: `repvgg converts, checks and measures RepVGG models as MMClassification does, from
one binary without Python.

CFG is a config of MMClassification 0.x (.py, .yaml, .json): a path, or the name
of a published variant (repvgg-A0, repvgg-A0_deploy, ...), whose configs are
built in.

Every flag can also be set as an environment variable (--threads as
REPVGG_THREADS) or in a file repvgg.yaml of the current folder (threads: 4); a
flag wins over a variable, a variable over the file.

Results are printed on stdout; progress, notes and errors on stderr. The exit
status is 0, 1 after a failure, 2 after wrong usage.`,
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	cmd.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return usageHint(c, err) })
	cmd.AddCommand(newReparameterizeCmd(), newTestCmd())
	return cmd
}

// exactArgs is cobra.ExactArgs with an error that names the arguments.
func exactArgs(n int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := cobra.ExactArgs(n)(c, args); err != nil {
			return usageHint(c, err)
		}
		return nil
	}
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "unknown"
	}
	return info.Main.Version
}
