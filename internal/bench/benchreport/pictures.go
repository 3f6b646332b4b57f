package benchreport

import (
	"bufio"
	"fmt"
	"path/filepath"
	"strings"

	"repvgg/internal/atomicfile"
	"repvgg/internal/bench"
	"repvgg/internal/figure"
)

// pictures returns the figures for a report: accuracy against speed if there are
// published accuracies, and bars if layers were measured.
func pictures(r *bench.Report) []figure.Figure {
	var all []figure.Figure
	for _, group := range bySetting(r) {
		if speeds := speedsOf(group); len(speeds) > 0 {
			all = append(all, figure.Accuracy(heading(r, group[0], "RepVGG: accuracy against speed"), speeds))
		}
	}
	return append(all, layerPictures(r)...)
}

// speedsOf returns the variants that have both a published accuracy and a speed.
func speedsOf(rows []*bench.Row) []figure.Speed {
	var speeds []figure.Speed
	at := make(map[string]int)
	for _, r := range rows {
		if r.PublishedTop1Percent == nil || r.ImagesPerSecond == nil {
			continue
		}
		i, known := at[r.Variant]
		if !known {
			i = len(speeds)
			at[r.Variant] = i
			speeds = append(speeds, figure.Speed{Variant: r.Variant, Top1: *r.PublishedTop1Percent})
		}
		if r.Form == "train" {
			speeds[i].Train = *r.ImagesPerSecond
		} else {
			speeds[i].Deploy = *r.ImagesPerSecond
		}
	}
	return speeds
}

// layerPictures returns figures with a bar for the time of each layer, coloured by
// its algorithm.
func layerPictures(r *bench.Report) []figure.Figure {
	var all []figure.Figure
	for i := range r.Rows {
		row := &r.Rows[i]
		if len(row.Layers) == 0 {
			continue
		}
		var bars []figure.Bar
		for _, l := range row.Layers {
			b := figure.Bar{Name: shortLayer(l.Name), Group: l.Algorithm, Length: l.TimeMS, Text: digits(l.TimeMS).String() + " ms"}
			if b.Group == "" {
				b.Group = "unknown"
			}
			if g := l.GFLOPSPerSecond; g != nil {
				b.Text += fmt.Sprintf(", %.0f GFLOP/s", *g)
			}
			bars = append(bars, b)
		}
		title := "Time per layer: " + row.Variant + ", " + row.Form + " form"
		all = append(all, figure.Bars(heading(r, row, title), "milliseconds per run", bars))
	}
	return all
}

func heading(r *bench.Report, row *bench.Row, title string) figure.Heading {
	return figure.Heading{Title: title, Machine: r.Machine.CPU, Setting: setting(row)}
}

// CheckPicture returns an error for a name that WritePicture would refuse.
func CheckPicture(path string) error {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".svg", ".png":
		return nil
	}
	return fmt.Errorf("%q: the name must end in .svg or .png", path)
}

// WritePicture writes a picture (.svg, .png). It shows the time per layer if layers
// were measured, and otherwise published accuracy against measured speed. Several
// figures are drawn below each other.
func WritePicture(path string, r *bench.Report) error {
	all := layerPictures(r)
	if len(all) == 0 {
		all = pictures(r)
	}
	if len(all) == 0 {
		return fmt.Errorf("writing picture %q: no row has a published accuracy and a speed, and none has layers", path)
	}
	if err := CheckPicture(path); err != nil {
		return fmt.Errorf("writing picture %w", err)
	}
	return atomicfile.Write(path, func(w *bufio.Writer) error {
		if strings.EqualFold(filepath.Ext(path), ".svg") {
			return figure.WriteSVG(w, all)
		}
		return figure.WritePNG(w, all)
	})
}
