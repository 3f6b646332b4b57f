package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/viper"
)

// settings are what flags, REPVGG_* variables and repvgg.yaml can set. Each
// command has flags for those that concern it.
type settings struct {
	CfgOptions    []string `mapstructure:"cfg-options"`
	Compare       string   `mapstructure:"compare"`
	CompareOut    string   `mapstructure:"compare-out"`
	Confusion     string   `mapstructure:"confusion"`
	Device        string   `mapstructure:"device"`
	GPUCollect    bool     `mapstructure:"gpu-collect"`
	GPUID         int      `mapstructure:"gpu-id"`
	GPUIDs        []int    `mapstructure:"gpu-ids"`
	Launcher      string   `mapstructure:"launcher"`
	LocalRank     int      `mapstructure:"local_rank"`
	MetricOptions []string `mapstructure:"metric-options"`
	Metrics       []string `mapstructure:"metrics"`
	Out           string   `mapstructure:"out"`
	OutItems      []string `mapstructure:"out-items"`
	PerClass      string   `mapstructure:"per-class"`
	ProfileInput  bool     `mapstructure:"profile-input"`
	Show          bool     `mapstructure:"show"`
	ShowDir       string   `mapstructure:"show-dir"`
	ShowOptions   []string `mapstructure:"show-options"`
	SkipBadImages bool     `mapstructure:"skip-bad-images"`
	Threads       int      `mapstructure:"threads"`
	TmpDir        string   `mapstructure:"tmpdir"`
	Verify        bool     `mapstructure:"verify"`
}

const settingsFile = "repvgg.yaml"

// readSettings gathers the settings of a command.
func readSettings(cmd *cobra.Command) (*settings, error) {
	v := viper.New()
	v.SetConfigFile(settingsFile)
	if err := v.ReadInConfig(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading settings %q: %w", settingsFile, err)
	}
	// Alone with the file, every key must be a setting: a misspelt one would have
	// no effect.
	if err := v.UnmarshalExact(&settings{}); err != nil {
		return nil, fmt.Errorf("reading settings %q: %w", settingsFile, err)
	}
	v.SetEnvPrefix("REPVGG")
	v.SetEnvKeyReplacer(strings.NewReplacer("-", "_"))
	v.AutomaticEnv()
	if err := v.BindPFlags(cmd.LocalFlags()); err != nil {
		return nil, err
	}
	var s settings
	if err := v.Unmarshal(&s); err != nil {
		return nil, usageError{fmt.Errorf("reading settings: %w", err)}
	}
	if s.Threads < 0 {
		return nil, usageError{errors.New("--threads must not be negative; 0 takes all cores")}
	}
	return &s, nil
}
