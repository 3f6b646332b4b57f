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
		Long: `repvgg converts, checks and measures RepVGG models as MMClassification does. It
is one binary and needs no Python.

CFG is a config of MMClassification 0.x (.py, .yaml or .json). It is a path, or
the name of a published variant (repvgg-A0, repvgg-A0_deploy, ...). The configs of
the published variants are built in.

Every flag can also be set by an environment variable or in the file repvgg.yaml
of the current folder. --threads is the variable REPVGG_THREADS, and the line
"threads: 4" in the file. A section of the file applies to one command only:
"bench: {batch-size: [1, 32]}". A flag overrides a variable, and a variable
overrides the file.

Results go to stdout. Progress, notes and errors go to stderr. The exit status is
0 for success, 1 after a failure, 2 after wrong usage, and 130 after an
interruption.`,
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
		// Suggest commands whose name differs by at most one letter.
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

// completeShells makes completion fail for an unknown shell. Otherwise it would
// print its help, which users redirect to files.
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

// namedArgs requires the arguments that the command's usage line names. If the last
// one ends in dots, it may be repeated.
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
				swallowed = "; give them before flags that take several values"
			}
		})
	}
	return usageHint(c, fmt.Errorf("want %s, got %d%s", want, len(args), swallowed))
}

// completeConfig completes the first argument with the built-in configs and files,
// and the others with files.
func completeConfig(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return config.Embedded(), cobra.ShellCompDirectiveDefault
}
