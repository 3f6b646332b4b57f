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
		Long: `Predict classifies image files, as MMClassification's demo/image_demo.py does. It
needs no labels and no list of images. CFG gives the network and the pipeline
(data.test.pipeline). CKPT gives the weights in either form; a training checkpoint
is fused first. Predict runs on the CPU.

Results are printed as they come. Of an image that can't be used stderr says why,
with --format json or csv the result too; the exit status is 1 in the end.

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
	f.Bool("skip-bad-images", false, "exit status 0 although some images can't be used")
	addWeightFlags(cmd)
	addCommonFlags(cmd)
	return cmd
}

type predictSettings struct {
	overrideSettings
	weightSettings
	threadSettings
	formatSettings
	TopK          int  `mapstructure:"topk"`
	SkipBadImages bool `mapstructure:"skip-bad-images"`
}

func predict(cmd *cobra.Command, s *predictSettings, args []string) error {
	if err := checkChoice("format", s.Format, predictFormats); err != nil {
		return err
	}
	if s.TopK < 1 {
		return usageError{fmt.Errorf("--topk %d: want 1 or more", s.TopK)}
	}
	source, err := s.source(args[0], args[1], s.CfgOptions)
	if err != nil {
		return err
	}
	images := args[2:]
	h := host(cmd)
	c, err := app.OpenClassifier(cmd.Context(), source, app.Device{Threads: s.Threads}, h)
	if err != nil {
		return hint(err)
	}
	defer func() { _ = c.Close() }() // a failure to close changes no result
	h.NoteDecoder(images)
	out := newImageWriter(cmd.OutOrStdout(), s.Format)
	unusable := 0
	err = c.Each(cmd.Context(), images, func(path string, p app.Prediction, bad error) error {
		m := labelledImage{Filename: path}
		if bad != nil {
			unusable++
			note(cmd, "%v", bad)
			m.Error = bad.Error()
		}
		m.Classes = best(p.Scores, c.Classes, s.TopK)
		return out.write(&m)
	})
	if err == nil {
		err = out.end()
	}
	if err == nil && unusable > 0 && !s.SkipBadImages {
		err = fmt.Errorf("%d of %d images can't be used; --skip-bad-images makes that no failure", unusable, len(images))
	}
	return err
}

// labelledImage is an image with its best classes, the best first, or why it has
// none.
type labelledImage struct {
	Filename string      `json:"filename"`
	Classes  []bestClass `json:"classes"`
	Error    string      `json:"error,omitempty"`
}

// bestClass is one class of an image. The JSON keys are those of the original's
// result files.
type bestClass struct {
	Label int     `json:"pred_label"`
	Class string  `json:"pred_class"`
	Score float32 `json:"pred_score"`
}

// best returns the k classes with the highest scores. Among equal scores, the lower
// class comes first.
func best(scores []float32, names []string, k int) []bestClass {
	all := make([]bestClass, len(scores))
	for i, score := range scores {
		all[i] = bestClass{i, names[i], score}
	}
	slices.SortStableFunc(all, func(a, b bestClass) int { return cmp.Compare(b.Score, a.Score) })
	return slices.Clone(all[:min(k, len(all))]) // a copy lets the rest be freed
}

// imageWriter writes images as they come.
type imageWriter interface {
	write(m *labelledImage) error
	end() error
}

func newImageWriter(w io.Writer, format string) imageWriter {
	switch format {
	case "json":
		return imageJSON{table.NewJSONList(w)}
	case "csv":
		return imageCSV{table.NewCSV(w, []string{"filename", "rank", "pred_label", "pred_class", "pred_score", "error"})}
	}
	return imageText{w}
}

type imageJSON struct{ *table.JSONList }

func (j imageJSON) write(m *labelledImage) error { return j.Add(m) }
func (j imageJSON) end() error                   { return j.End() }

// imageCSV has a row for each class of an image.
type imageCSV struct{ *table.CSV }

func (c imageCSV) write(m *labelledImage) error {
	for i, b := range m.Classes {
		c.Add(table.Text(m.Filename), table.Int(i+1), table.Int(b.Label), table.Text(b.Class), table.Float32(b.Score), table.Cell{})
	}
	if m.Error != "" {
		c.Add(table.Text(m.Filename), table.Cell{}, table.Cell{}, table.Cell{}, table.Cell{}, table.Text(m.Error))
	}
	return c.Flush()
}

func (c imageCSV) end() error { return c.Flush() }

// imageText leaves images out that can't be used.
type imageText struct{ io.Writer }

func (t imageText) write(m *labelledImage) error {
	if len(m.Classes) > 1 {
		fmt.Fprintf(t, "%s:\n", table.Printable(m.Filename))
	}
	for _, c := range m.Classes {
		before := "  "
		if len(m.Classes) == 1 {
			before = table.Printable(m.Filename) + ": "
		}
		if _, err := fmt.Fprintf(t, "%s%.4f  %s (%d)\n", before, c.Score, table.Printable(c.Class), c.Label); err != nil {
			return err
		}
	}
	return nil
}

func (imageText) end() error { return nil }
