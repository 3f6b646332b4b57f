package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"repvgg/internal/config"
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

Every flag of a command can also be set as an environment variable (--threads as
REPVGG_THREADS) or in a file repvgg.yaml of the current folder (threads: 4), there
also for one command alone (bench: {batch-size: [1, 32]}); a flag wins over a
variable, a variable over the file.

Results are printed on stdout; progress, notes and errors on stderr. The exit
status is 0, 1 after a failure, 2 after wrong usage, 130 after an interruption.`,
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
		// How many letters a misspelt command may differ by to be suggested.
		SuggestionsMinimumDistance: 1,
		Args:                       cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			hint := ""
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				hint = "; did you mean " + strings.Join(near, " or ") + "?"
			}
			return usageHint(cmd, fmt.Errorf("unknown command %q%s", args[0], hint))
		},
	}
	cmd.SetFlagErrorFunc(flagError)
	cmd.AddCommand(newReparameterizeCmd(), newTestCmd(), newBenchCmd(), newExportCmd(), newPredictCmd(), newInspectCmd(), newConfigCmd(), newFlopsCmd(), newZooCmd(), newVersionCmd())
	completeShells(cmd)
	return cmd
}

// completeShells lets completion refuse shells that it does not know: what it
// prints goes into files.
func completeShells(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	completion, _, err := root.Find([]string{"completion"})
	if err != nil {
		panic(err) // cobra has just added it
	}
	var shells []string
	for _, c := range completion.Commands() {
		shells = append(shells, c.Name())
	}
	completion.Args = cobra.ArbitraryArgs
	completion.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		return usageHint(cmd, fmt.Errorf("unknown shell %q: want %s", args[0], strings.Join(shells, ", ")))
	}
}

// namedArgs wants the arguments that the command's usage names; of the last there
// may be more if it ends in dots.
func namedArgs(c *cobra.Command, args []string) error {
	names := strings.Fields(c.Use)[1:]
	more := len(names) > 0 && strings.HasSuffix(names[len(names)-1], "...")
	if len(args) == len(names) || more && len(args) > len(names) {
		return nil
	}
	want, swallowed := "no arguments", ""
	if len(names) > 0 {
		want = strings.Join(names, " ")
	}
	if len(args) < len(names) {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Changed && f.Annotations[listFlag] != nil {
				swallowed = "; they come before flags that take several values"
			}
		})
	}
	return usageHint(c, fmt.Errorf("want %s, got %d%s", want, len(args), swallowed))
}

// completeConfig offers the built-in configs, and files, for the first argument;
// files alone for the others.
func completeConfig(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return config.Embedded(), cobra.ShellCompDirectiveDefault
}
