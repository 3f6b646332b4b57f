package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"repvgg/internal/checkpoint"
	"repvgg/internal/model"
	"repvgg/internal/model/repvgg"
	"repvgg/internal/table"
	"repvgg/internal/weights"
)

// inspectFormats are the values of --format, the default first.
var inspectFormats = []string{"text", "json"}

func newInspectCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "inspect CKPT",
		Short: "Print what a checkpoint holds",
		Long: `Inspect prints what a checkpoint holds, without a config: its file format, the
framework whose tensor names it uses, its form, and which RepVGG it is. It reads no
weights and executes nothing in the file.

With --security, it also lists every class and function that the file's pickles
name, and says which were read, which were ignored, and which would be dangerous
if Python loaded the file with torch.load without weights_only=True.`,
		Example: `  repvgg inspect RepVGG-A0-train.pth
  repvgg inspect downloaded.pth --security
  repvgg inspect model.safetensors --format json`,
		Args: namedArgs,
		RunE: withSettings(inspect),
	}
	addChoice(cmd, "format", inspectFormats, "output format")
	cmd.Flags().Bool("security", false, "list the classes and functions that the file's pickles name")
	addChoiceFlags(cmd)
	return cmd
}

// contents is what inspect prints.
type contents struct {
	File   string `json:"file"`
	Format string `json:"format"`
	// Key is the key of the state dict in the file. It is empty if the file itself is
	// the state dict.
	Key     string   `json:"key"`
	Tensors int      `json:"tensors"`
	Values  int      `json:"values"`
	DTypes  []string `json:"dtypes"`
	// Names and Form are empty if the tensors are not a RepVGG's. Arch is also empty if
	// the network is not a named variant.
	Names      string   `json:"names"`
	Form       string   `json:"form"`
	Arch       string   `json:"arch"`
	NumClasses int      `json:"num_classes"`
	Classes    []string `json:"classes"`
	Averages   int      `json:"averaged_tensors"`
	// Globals is set with --security.
	Globals []checkpoint.Global `json:"globals,omitempty"`
}

type inspectSettings struct {
	choiceSettings
	formatSettings
	Security bool `mapstructure:"security"`
}

func inspect(cmd *cobra.Command, s *inspectSettings, args []string) error {
	if err := checkChoice("format", s.Format, inspectFormats); err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	c, err := checkpoint.OpenChoice(args[0], s.choice())
	if err != nil {
		// The names are most interesting in a file that can't be opened as a checkpoint.
		if globals, cause := checkpoint.ReadGlobals(args[0]); cause == nil && s.Security {
			is := contents{File: args[0], Globals: globals}
			err = errors.Join(err, s.write(out, &is))
		}
		return hint(err)
	}
	defer c.Close()
	for _, n := range c.Notes() {
		note(cmd, "%s", n)
	}
	is, err := contentsOf(c)
	if err != nil {
		return err
	}
	if s.Security {
		is.Globals = c.Globals
	}
	return s.write(out, &is)
}

// write prints the contents. A checkpoint that could not be opened has only
// Globals.
func (s *inspectSettings) write(w io.Writer, is *contents) error {
	if s.Format == "json" {
		return table.WriteJSON(w, is)
	}
	if is.Format != "" {
		if err := is.table().WriteText(w, 0, 2); err != nil {
			return err
		}
	}
	if !s.Security {
		return nil
	}
	return writeGlobals(w, is.Globals)
}

// writeGlobals lists the classes and functions that the checkpoint's pickles name.
func writeGlobals(w io.Writer, globals []checkpoint.Global) error {
	words := map[checkpoint.Use]string{
		checkpoint.Read:       "read",
		checkpoint.Ignored:    "ignored",
		checkpoint.Suspicious: "ignored; torch.load without weights_only=True would run it",
	}
	t := &table.Table{Columns: make([]table.Column, 2)}
	for _, g := range globals {
		t.Add(table.Text(g.Name), table.Text(words[g.Use]))
	}
	head := fmt.Sprintf("%d", len(globals))
	if len(globals) == 0 {
		head = "none"
	}
	if _, err := fmt.Fprintf(w, "globals      %s named in the file's pickles\n", head); err != nil {
		return err
	}
	return t.WriteText(w, 2, 2)
}

func contentsOf(c *checkpoint.File) (contents, error) {
	is := contents{
		File: c.Path, Format: c.Format, Key: c.Key, Tensors: len(c.Names), Classes: c.Classes, Averages: c.Averages,
	}
	dtypes := make(map[string]bool)
	for _, name := range c.Names {
		if t := c.Tensors[name]; !model.IsCounter(name) && t.Check() == nil {
			is.Values += t.Numel()
			dtypes[t.DType.String()] = true
		}
	}
	is.DTypes = slices.Sorted(maps.Keys(dtypes))
	keys := repvgg.MMClassification
	if found := weights.KeyMaps(c, repvgg.KeyMaps()); len(found) == 1 {
		keys = found[0]
	}
	shapes, err := weights.Shapes(c, keys)
	if err != nil {
		return contents{}, err
	}
	if form, ok := repvgg.FormOf(slices.Collect(maps.Keys(shapes))); ok {
		is.Form, is.Names = form.String(), keys.ID
		is.Arch, is.NumClasses, _ = repvgg.Identify(shapes)
	}
	return is, nil
}

// table has a line for each property: its name, then its value.
func (is *contents) table() *table.Table {
	network := "a RepVGG, but not a named variant"
	switch {
	case is.Form == "":
		network = "not a RepVGG"
	case is.Arch != "":
		network = fmt.Sprintf("RepVGG-%s, %d classes", is.Arch, is.NumClasses)
	}
	classes := "none recorded"
	if n := len(is.Classes); n > 0 {
		classes = fmt.Sprintf("%d recorded, the first is %.80q", n, is.Classes[0])
		if is.Arch != "" && n != is.NumClasses {
			classes += ": they do not match this network"
		}
	}
	key := "the file itself"
	if is.Key != "" {
		key = is.Key
	}
	ema := "none"
	if is.Averages > 0 {
		ema = fmt.Sprintf("%d tensors in addition", is.Averages)
	}
	t := &table.Table{Columns: make([]table.Column, 2)}
	for _, line := range [][2]string{
		{"file", fmt.Sprintf("%s (%s)", is.File, is.Format)},
		{"state dict", fmt.Sprintf("%s: %d tensors, %.2f M values, %s", key, is.Tensors, float64(is.Values)/1e6, strings.Join(is.DTypes, " "))},
		{"EMA weights", ema},
		{"network", network},
		{"form", cmp.Or(is.Form, "-")},
		{"names", cmp.Or(is.Names, "-")},
		{"classes", classes},
	} {
		t.Add(table.Text(line[0]), table.Text(line[1]))
	}
	return t
}
