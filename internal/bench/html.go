package bench

import (
	_ "embed"
	"fmt"
	"html/template"
	"image/color"
	"io"
	"repvgg/internal/model/repvgg"
	"strings"
)

//go:embed report.tmpl
var page string

// htmlColors are the CSS variables that stand for the pictures' colours, which
// change with the screen's scheme.
var htmlColors = []struct {
	color    color.RGBA
	variable string
}{
	{ink, "ink"}, {faint, "faint"}, {grid, "line"}, {trainColor, "train"}, {deployColor, "deploy"},
}

// writeHTML writes one page that needs nothing else: tables and pictures.
func (r *Report) writeHTML(w io.Writer) error {
	t, err := template.New("report").Parse(page)
	if err != nil {
		return fmt.Errorf("reading the page's template: %w", err)
	}
	data := struct {
		*Report
		Lines, Notes []string
		About        string
		Accuracy     string
		Tables       []table
		Layers       []table
		Figures      []htmlFigure
	}{Report: r, Lines: r.Machine.lines(), Notes: r.notes(), About: r.about(), Tables: r.rowTables(), Layers: r.layerTables()}
	for i := range r.Rows {
		if r.Rows[i].PublishedTop1Percent != nil {
			data.Accuracy = repvgg.AccuracyNote
		}
	}
	for _, f := range r.figures() {
		h, err := f.html()
		if err != nil {
			return err
		}
		data.Figures = append(data.Figures, h)
	}
	return t.Execute(w, data)
}

type htmlFigure struct {
	Title string
	SVG   template.HTML
}

// html is the figure as part of a page: without an XML prologue, in the colours
// of the page. All text in it was escaped when it was drawn.
func (f figure) html() (htmlFigure, error) {
	var b strings.Builder
	if err := writeSVG(&b, []figure{f}, nil); err != nil {
		return htmlFigure{}, err
	}
	svg := b.String()
	svg = svg[strings.Index(svg, "<svg"):]
	for _, c := range htmlColors {
		hex := fmt.Sprintf("#%02X%02X%02X", c.color.R, c.color.G, c.color.B)
		svg = strings.ReplaceAll(svg, hex, "var(--"+c.variable+")")
	}
	return htmlFigure{Title: f.Title, SVG: template.HTML(svg)}, nil
}
