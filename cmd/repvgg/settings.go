package main

import (
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
)

// Every command has a struct of what flags, REPVGG_* variables and repvgg.yaml can
// set for it, with the flags' names as tags. These are parts of several.
type (
	overrideSettings struct {
		CfgOptions []string `mapstructure:"cfg-options"`
	}
	emaSettings struct {
		UseEMA bool `mapstructure:"use-ema"`
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

const settingsFile = "repvgg.yaml"

// withSettings makes a command's RunE of a function that is given its settings.
func withSettings[S any](run func(cmd *cobra.Command, s *S, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		s := new(S)
		if err := readSettings(cmd, s); err != nil {
			return err
		}
		return run(cmd, s, args)
	}
}

// readSettings gathers the settings of a command into its struct.
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
		// viper would split a variable at commas, also within brackets.
		if text := os.Getenv(variable(f.Name)); text != "" && f.Annotations[listFlag] != nil && !f.Changed {
			v.Set(f.Name, splitWords(text, strings.HasSuffix(f.Value.Type(), "Slice")))
		}
	})
	hooks := mapstructure.ComposeDecodeHookFunc(wholeNumbers, mapstructure.StringToTimeDurationHookFunc(), mapstructure.StringToSliceHookFunc(","))
	squash := func(c *mapstructure.DecoderConfig) { c.Squash = true } // embedded parts
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

// readSettingsFile gives the settings of the file, if there is one: those of all
// commands, and over them those of the section that has the command's name.
func readSettingsFile(cmd *cobra.Command) (map[string]any, error) {
	// Looked at before it is opened: opening a pipe would wait for its writer.
	switch info, err := os.Stat(settingsFile); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err == nil && !info.Mode().IsRegular():
		return nil, errors.New("it is not a regular file")
	}
	v := viper.New()
	v.SetConfigFile(settingsFile)
	if err := v.ReadInConfig(); err != nil {
		return nil, err
	}
	all := v.AllSettings()
	own := make(map[string]any)
	for _, c := range cmd.Root().Commands() {
		value, ok := all[c.Name()]
		if !ok || c.Name() == "help" || c.Name() == "completion" { // which have no settings
			continue
		}
		delete(all, c.Name())
		section, ok := value.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("%s: want settings below the name of a command", c.Name())
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
		// What would be several words on a command line may be a string.
		if text, ok := value.(string); ok && f.Annotations[listFlag] != nil {
			all[name] = splitWords(text, strings.HasSuffix(f.Value.Type(), "Slice"))
		}
	}
	return all, nil
}

// checkSettings reports keys that are no settings of any command: a misspelt one
// would have no effect. Whether a value is good is for the command that reads it.
func checkSettings(root *cobra.Command, values map[string]any) error {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		known := func(c *cobra.Command) bool { return c.LocalFlags().Lookup(name) != nil }
		if name == "help" || name == "version" || !slices.ContainsFunc(root.Commands(), known) {
			return fmt.Errorf("there is no setting %.80q", name)
		}
	}
	return nil
}

// wholeNumbers keeps viper from making whole numbers of others.
func wholeNumbers(from, to reflect.Kind, value any) (any, error) {
	if to == reflect.Int && (from == reflect.Float64 || from == reflect.Bool) {
		return nil, fmt.Errorf("want a whole number, got %v", value)
	}
	return value, nil
}

// variable is the environment variable of a flag.
func variable(flag string) string {
	return "REPVGG_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// splitWords splits the value of a variable that holds a list as a command line
// would be: at spaces, and at commas too if wanted, but not within brackets.
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

// flatten makes one line of the decoder's list of errors.
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
