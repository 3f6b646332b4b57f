package main

import (
	"cmp"
	"fmt"
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
		Short: "Tell what a checkpoint holds",
		Long: `Inspect tells what a checkpoint holds, without a config: its format, whose tensor
names it has, its form, and which RepVGG it is. It reads no weights, and nothing
in the file is executed.`,
		Example: `  repvgg inspect RepVGG-A0-train.pth
  repvgg inspect model.safetensors --format json`,
		Args: namedArgs,
		RunE: withSettings(inspect),
	}
	addChoice(cmd, "format", inspectFormats, "what to print")
	addEMAFlag(cmd)
	return cmd
}

// contents are what inspect prints of a checkpoint.
type contents struct {
	File   string `json:"file"`
	Format string `json:"format"`
	// Key is what the state dict stands under; empty if it is the file itself.
	Key     string   `json:"key"`
	Tensors int      `json:"tensors"`
	Values  int      `json:"values"`
	DTypes  []string `json:"dtypes"`
	// Names and Form are empty if the tensors are not those of a RepVGG, Arch also
	// if it is one without a name.
	Names      string   `json:"names"`
	Form       string   `json:"form"`
	Arch       string   `json:"arch"`
	NumClasses int      `json:"num_classes"`
	Classes    []string `json:"classes"`
	Averages   int      `json:"averaged_tensors"`
}

type inspectSettings struct {
	emaSettings
	formatSettings
}

func inspect(cmd *cobra.Command, s *inspectSettings, args []string) error {
	if err := checkChoice("format", s.Format, inspectFormats); err != nil {
		return err
	}
	open := checkpoint.Open
	if s.UseEMA {
		open = checkpoint.OpenAveraged
	}
	c, err := open(args[0])
	if err != nil {
		return err
	}
	defer c.Close()
	is, err := contentsOf(c)
	if err != nil {
		return err
	}
	if s.Format == "json" {
		return table.WriteJSON(cmd.OutOrStdout(), is)
	}
	return is.table().WriteText(cmd.OutOrStdout(), 0, 2)
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

// table has a line for each thing that is known, its name first.
func (is *contents) table() *table.Table {
	network := "a RepVGG, but as it stands none that has a name"
	switch {
	case is.Form == "":
		network = "no RepVGG"
	case is.Arch != "":
		network = fmt.Sprintf("RepVGG-%s, %d classes", is.Arch, is.NumClasses)
	}
	classes := "none recorded"
	if n := len(is.Classes); n > 0 {
		classes = fmt.Sprintf("%d recorded, the first %.80q", n, is.Classes[0])
		if is.Arch != "" && n != is.NumClasses {
			classes += ": not those of this network"
		}
	}
	key := "the file itself"
	if is.Key != "" {
		key = is.Key
	}
	t := &table.Table{Columns: make([]table.Column, 2)}
	for _, line := range [][2]string{
		{"file", fmt.Sprintf("%s (%s)", is.File, is.Format)},
		{"state dict", fmt.Sprintf("%s: %d tensors, %.2f M values, %s", key, is.Tensors, float64(is.Values)/1e6, strings.Join(is.DTypes, " "))},
		{"averages", fmt.Sprintf("%d tensors beside them", is.Averages)},
		{"network", network},
		{"form", cmp.Or(is.Form, "-")},
		{"names", cmp.Or(is.Names, "-")},
		{"classes", classes},
	} {
		t.Add(table.Text(line[0]), table.Text(line[1]))
	}
	return t
}
