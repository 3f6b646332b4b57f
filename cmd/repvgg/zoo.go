package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"repvgg/internal/model/repvgg"
	"repvgg/internal/zoo"
)

func newZooCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "zoo",
		Short: "List the published variants",
		Long: `Zoo prints the table of MMClassification's page on RepVGG: of each published
variant the epochs of training, parameters and FLOPs of both forms, accuracies,
the names of the configs that are built in, and where the publisher has the
weights.

The accuracies are the publisher's, on ImageNet-1k. Nothing is downloaded.`,
		Example: `  repvgg zoo
  repvgg zoo --format markdown
  repvgg zoo --format json | jq '.models[] | select(.published_deploy_flops_giga < 5) | .name'`,
		Args: namedArgs,
		RunE: withSettings(func(cmd *cobra.Command, s *formatSettings, _ []string) error {
			err := zoo.Write(cmd.OutOrStdout(), s.Format, repvgg.Zoo())
			if err != nil && !slices.Contains(zoo.Formats, s.Format) {
				return usageHint(cmd, err)
			}
			return err
		}),
	}
	cmd.Flags().String("format", zoo.Formats[0], "how to print the table: "+strings.Join(zoo.Formats, ", "))
	offer(cmd, "format", zoo.Formats)
	return cmd
}
