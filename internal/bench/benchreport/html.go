package benchreport

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"

	"repvgg/internal/bench"
	"repvgg/internal/model/repvgg"
	"repvgg/internal/table"
)

//go:embed page.tmpl
var page string

// htmlFigure is a picture that is embedded in the page.
type htmlFigure struct {
	Title string
	SVG   template.HTML
}

// writeHTML writes a self-contained page with tables and pictures.
func writeHTML(w io.Writer, r *bench.Report) error {
	words := func(c table.Column) bool { return c.Align == table.Left }
	t, err := template.New("report").Funcs(template.FuncMap{"words": words}).Parse(page)
	if err != nil {
		return fmt.Errorf("reading the page's template: %w", err)
	}
	data := struct {
		*bench.Report
		Lines, Notes   []string
		About          string
		Accuracy       string
		Tables, Layers []titled
		Figures        []htmlFigure
	}{Report: r, Lines: machineLines(&r.Machine), Notes: notes(r), About: about(r), Tables: rowTables(r), Layers: layerTables(r)}
	for i := range r.Rows {
		if r.Rows[i].PublishedTop1Percent != nil {
			data.Accuracy = repvgg.AccuracyNote
		}
	}
	for _, f := range pictures(r) {
		svg, err := f.Inline()
		if err != nil {
			return err
		}
		data.Figures = append(data.Figures, htmlFigure{f.Title, template.HTML(svg)})
	}
	return t.Execute(w, data)
}
