package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"repvgg/internal/app"
	"repvgg/internal/table"
)

// predictFormats are the values of --format, the default first.
var predictFormats = []string{"text", "json", "csv"}

func newPredictCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "predict CFG CKPT IMAGE...",
		Short: "Classify image files",
		Long: `Predict classifies image files, as MMClassification's demo/image_demo.py does: no
labels and no list of images are needed. CFG gives the network and the pipeline
that images go through (data.test.pipeline), CKPT the weights, of either form; a
training checkpoint is fused on the way. It runs on the CPU.

Each image's class has the name that the checkpoint recorded, or ImageNet's if it
recorded none, or too few, and there are 1000.`,
		Example: `  repvgg predict repvgg-A0 epoch_120.pth cat.jpg
  repvgg predict repvgg-A0 epoch_120.pth photos/*.jpg --topk 5
  repvgg predict my_config.py deploy.pth photos/*.png --format csv >classes.csv`,
		Args:              namedArgs,
		ValidArgsFunction: completeConfig,
		RunE:              withSettings(predict),
	}
	f := cmd.Flags()
	f.Int("topk", 1, "how many classes to print of each image, the best first")
	addChoice(cmd, "format", predictFormats, "what to print")
	addEMAFlag(cmd)
	addCommonFlags(cmd)
	return cmd
}

// imagesAtATime is how many images' scores are held at a time.
const imagesAtATime = 1024

type predictSettings struct {
	overrideSettings
	emaSettings
	threadSettings
	formatSettings
	TopK int `mapstructure:"topk"`
}

func predict(cmd *cobra.Command, s *predictSettings, args []string) error {
	if err := checkChoice("format", s.Format, predictFormats); err != nil {
		return err
	}
	if s.TopK < 1 {
		return usageError{fmt.Errorf("--topk %d: want a number from 1", s.TopK)}
	}
	images := args[2:]
	h := host(cmd)
	bar := newProgress(cmd, len(images), "images")
	defer bar.end()
	h.Progress = func(string, int) (func(int), func()) { return bar.add, func() {} } // one bar for all chunks
	source := app.Source{Config: args[0], Overrides: s.CfgOptions, Checkpoint: args[1], EMA: s.UseEMA}
	c, err := app.OpenClassifier(cmd.Context(), source, app.Device{Threads: s.Threads}, h)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }() // a failure of that changes no result
	h.NoteDecoder(images)
	var labelled []labelledImage
	for paths := range slices.Chunk(images, imagesAtATime) {
		predictions, err := c.Files(cmd.Context(), paths)
		if err != nil {
			return err
		}
		for i, p := range predictions {
			labelled = append(labelled, labelledImage{paths[i], best(p.Scores, c.Classes, s.TopK)})
		}
	}
	bar.end()
	out := cmd.OutOrStdout()
	switch s.Format {
	case "json":
		return table.WriteJSON(out, labelled)
	case "csv":
		return classTable(labelled).WriteCSV(out)
	}
	return predictText(out, labelled)
}

// labelledImage is an image with its best classes, the best first.
type labelledImage struct {
	Filename string      `json:"filename"`
	Classes  []bestClass `json:"classes"`
}

// bestClass has the names of the original's result files.
type bestClass struct {
	Label int     `json:"pred_label"`
	Class string  `json:"pred_class"`
	Score float32 `json:"pred_score"`
}

// best are the k classes with the highest scores; of equals the lowest comes
// first.
func best(scores []float32, names []string, k int) []bestClass {
	all := make([]bestClass, len(scores))
	for i, score := range scores {
		all[i] = bestClass{i, names[i], score}
	}
	slices.SortStableFunc(all, func(a, b bestClass) int { return cmp.Compare(b.Score, a.Score) })
	return slices.Clone(all[:min(k, len(all))]) // the rest need not stay in memory
}

func predictText(w io.Writer, images []labelledImage) error {
	for _, m := range images {
		if len(m.Classes) > 1 {
			fmt.Fprintf(w, "%s:\n", m.Filename)
		}
		for _, c := range m.Classes {
			before := "  "
			if len(m.Classes) == 1 {
				before = m.Filename + ": "
			}
			if _, err := fmt.Fprintf(w, "%s%.4f  %s (%d)\n", before, c.Score, table.Printable(c.Class), c.Label); err != nil {
				return err
			}
		}
	}
	return nil
}

// classTable has a row for each class of an image.
func classTable(images []labelledImage) *table.Table {
	t := &table.Table{Columns: []table.Column{{Name: "filename"}, {Name: "rank"}, {Name: "pred_label"}, {Name: "pred_class"}, {Name: "pred_score"}}}
	for _, m := range images {
		for i, c := range m.Classes {
			t.Add(table.Text(m.Filename), table.Int(i+1), table.Int(c.Label), table.Text(c.Class), table.Float32(c.Score))
		}
	}
	return t
}
