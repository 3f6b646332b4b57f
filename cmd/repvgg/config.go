package main

import (
	"github.com/spf13/cobra"

	"repvgg/internal/config"
	"repvgg/internal/recipe"
)

func newConfigCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config CFG",
		Short: "Print a config with its bases merged in",
		Long: `Config prints a config as MMClassification's tools/misc/print_config.py does, with
its _base_ files and the overrides merged in. The output is itself a .py config
with the same values. You can use it as the start of your own.`,
		Example: `  repvgg config repvgg-A0 >my_config.py
  repvgg config my_config.py --cfg-options model.head.num_classes=10`,
		Args:              namedArgs,
		ValidArgsFunction: completeConfig,
		RunE:              withSettings(printConfig),
	}
	addOverridesFlag(cmd)
	return cmd
}

func printConfig(cmd *cobra.Command, s *overrideSettings, args []string) error {
	cfg, err := config.Load(args[0], s.CfgOptions)
	if err != nil {
		return err
	}
	text, err := cfg.Text()
	if err != nil {
		return err
	}
	for _, w := range cfg.Warnings() {
		note(cmd, "%s", w)
	}
	// A config that describes no valid network is still printed: that may be what the
	// user is looking for.
	if _, err := recipe.Read(cfg); err != nil {
		note(cmd, "%v", err)
	}
	_, err = cmd.OutOrStdout().Write([]byte(text))
	return err
}
