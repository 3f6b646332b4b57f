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
		Long: `Zoo prints the table of published variants from MMClassification's page on RepVGG.
For each variant it lists the training epochs, the parameters and FLOPs of both
forms, the accuracies, the names of the built-in configs, and the URL of the
publisher's weights.

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
	cmd.Flags().String("format", zoo.Formats[0], "output format: "+strings.Join(zoo.Formats, ", "))
	offer(cmd, "format", zoo.Formats)
	return cmd
}
