package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"repvgg/internal/cpu"
	"repvgg/internal/infile"
)

// Every command has a struct of its settings, tagged with the flags' names. Flags,
// REPVGG_* variables and repvgg.yaml set them. These types are embedded in several
// of the structs.
type (
	overrideSettings struct {
		CfgOptions []string `mapstructure:"cfg-options"`
	}
	choiceSettings struct {
		UseEMA bool   `mapstructure:"use-ema"`
		Key    string `mapstructure:"key"`
	}
	weightSettings struct {
		choiceSettings
		Ignore []string `mapstructure:"ignore"`
	}
	threadSettings struct {
		Threads int `mapstructure:"threads"`
	}
	namesSettings struct {
		Names string `mapstructure:"names"`
	}
	formatSettings struct {
		Format string `mapstructure:"format"`
	}
)

const (
	settingsFile = "repvgg.yaml"
	maxSettings  = 1 << 20 // bytes of it
)

// withSettings turns a function that takes settings into a command's RunE.
func withSettings[S any](run func(cmd *cobra.Command, s *S, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		s := new(S)
		if err := readSettings(cmd, s); err != nil {
			return err
		}
		return run(cmd, s, args)
	}
}

// readSettings fills the struct with the settings of a command.
func readSettings(cmd *cobra.Command, into any) error {
	file, err := readSettingsFile(cmd)
	if err != nil {
		return usageError{fmt.Errorf("reading settings %q: %w", settingsFile, err)}
	}
	v := viper.New()
	if err := v.MergeConfigMap(file); err != nil {
		return err
	}
	v.SetEnvPrefix("REPVGG")
	v.SetEnvKeyReplacer(strings.NewReplacer("-", "_"))
	v.AutomaticEnv()
	if err := v.BindPFlags(cmd.LocalFlags()); err != nil {
		return err
	}
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		// viper would split a variable at every comma, even within brackets.
		if text := os.Getenv(variable(f.Name)); text != "" && f.Annotations[listFlag] != nil && !f.Changed {
			v.Set(f.Name, splitWords(text, strings.HasSuffix(f.Value.Type(), "Slice")))
		}
	})
	hooks := mapstructure.ComposeDecodeHookFunc(wholeNumbers, mapstructure.StringToTimeDurationHookFunc(), mapstructure.StringToSliceHookFunc(","))
	squash := func(c *mapstructure.DecoderConfig) { c.Squash = true } // for the embedded structs
	if err := v.Unmarshal(into, viper.DecodeHook(hooks), squash); err != nil {
		return usageError{fmt.Errorf("reading settings (flags, REPVGG_* variables, %s): %s", settingsFile, flatten(err))}
	}
	if cmd.LocalFlags().Lookup("threads") == nil {
		return nil
	}
	switch threads := v.GetInt("threads"); {
	case threads < 0:
		return usageError{errors.New("--threads must not be negative; 0 takes all cores")}
	case threads > cpu.MaxThreads:
		return usageError{fmt.Errorf("--threads %d: want at most %d, or 0 for all cores", threads, cpu.MaxThreads)}
	}
	return nil
}

// readSettingsFile returns the settings in repvgg.yaml, or nil if there is no such
// file. The section named after the command overrides the common settings.
func readSettingsFile(cmd *cobra.Command) (map[string]any, error) {
	data, err := infile.Read(cmd.Context(), settingsFile, nil, maxSettings)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if wrong, ok := errors.AsType[*fs.PathError](err); ok {
		return nil, wrong.Err
	}
	if err != nil {
		return nil, err
	}
	v := viper.New()
	v.SetConfigType("yaml")
	if err := v.ReadConfig(bytes.NewReader(data)); err != nil {
		return nil, err
	}
	all := v.AllSettings()
	own := make(map[string]any)
	for _, c := range cmd.Root().Commands() {
		value, ok := all[c.Name()]
		if !ok || c.Name() == "help" || c.Name() == "completion" { // these have no settings
			continue
		}
		delete(all, c.Name())
		section, ok := value.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("%s: want a mapping of settings under the name of a command", c.Name())
		}
		if err := checkSettings(cmd.Root(), section); err != nil {
			return nil, fmt.Errorf("%s: %w", c.Name(), err)
		}
		if c.Name() == cmd.Name() {
			own = section
		}
	}
	if err := checkSettings(cmd.Root(), all); err != nil {
		return nil, err
	}
	maps.Copy(all, own)
	for name, value := range all {
		f := cmd.LocalFlags().Lookup(name)
		if f == nil { // for other commands
			delete(all, name)
			continue
		}
		// A list may be written as one string, with the words of a command line.
		if text, ok := value.(string); ok && f.Annotations[listFlag] != nil {
			all[name] = splitWords(text, strings.HasSuffix(f.Value.Type(), "Slice"))
		}
	}
	return all, nil
}

// checkSettings reports keys that are not settings of any command, because a
// misspelt one would have no effect. The command that reads a value validates it.
func checkSettings(root *cobra.Command, values map[string]any) error {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		known := func(c *cobra.Command) bool { return c.LocalFlags().Lookup(name) != nil }
		if name == "help" || name == "version" || !slices.ContainsFunc(root.Commands(), known) {
			return fmt.Errorf("there is no setting %.80q", name)
		}
	}
	return nil
}

// wholeNumbers keeps viper from converting fractions and booleans to integers.
func wholeNumbers(from, to reflect.Kind, value any) (any, error) {
	if to == reflect.Int && (from == reflect.Float64 || from == reflect.Bool) {
		return nil, fmt.Errorf("want a whole number, got %v", value)
	}
	return value, nil
}

// variable returns the name of a flag's environment variable.
func variable(flag string) string {
	return "REPVGG_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// splitWords splits a list as a command line is split: at spaces, and at commas if
// commas is true, but never within brackets.
func splitWords(text string, commas bool) []string {
	depth := 0
	return strings.FieldsFunc(text, func(r rune) bool {
		switch r {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth--
		}
		return depth <= 0 && (r == ' ' || r == '\t' || r == '\n' || commas && r == ',')
	})
}

// flatten turns the decoder's list of errors into one line.
func flatten(err error) string {
	var parts []string
	for line := range strings.Lines(err.Error()) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "decoding failed due to") {
			parts = append(parts, strings.TrimPrefix(line, "'' "))
		}
	}
	return strings.Join(parts, "; ")
}
