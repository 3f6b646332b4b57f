package benchreport

import (
	"fmt"
	"strings"

	"repvgg/internal/bench"
	"repvgg/internal/table"
)

// titled is a table with a title, for text, Markdown and HTML. Noisy rows are
// marked.
type titled struct {
	Title string
	*table.Table
}

// rowTables returns a table for each setting with a line per row, and one table for
// the comparison with the baseline.
func rowTables(r *bench.Report) []titled {
	var all []titled
	for _, group := range bySetting(r) {
		all = append(all, speedTable(group))
	}
	if t := baselineTable(r); len(t.Rows) > 0 {
		all = append(all, t)
	}
	return all
}

// layerTables returns a table for each row whose layers were measured.
func layerTables(r *bench.Report) []titled {
	var all []titled
	for i := range r.Rows {
		if row := &r.Rows[i]; len(row.Layers) > 0 {
			all = append(all, layerTable(row))
		}
	}
	return all
}

// variantColumn shows at most 16 letters in text.
var variantColumn = table.Column{Name: "variant", Most: 16}

// figures returns a column of numbers.
func figures(name, unit string) table.Column {
	return table.Column{Name: name, Unit: unit, Align: table.Right}
}

// addRow adds a row, and marks it if it is noisy.
func addRow(t *table.Table, r *bench.Row, cells ...table.Cell) {
	t.Rows = append(t.Rows, table.Row{Cells: cells, Marked: r.Noisy != nil && *r.Noisy})
}

func speedTable(rows []*bench.Row) titled {
	title := setting(rows[0])
	if p := rows[0].PeakGFLOPSPerSecond; p != nil {
		title += fmt.Sprintf(", peak %.0f GFLOP/s", *p)
	}
	t := &table.Table{Mark: "noisy", Columns: []table.Column{
		variantColumn, {Name: "form"}, figures("params", "M"), figures("FLOPs", "G"),
		figures("median", "ms"), figures("p10..p90", "ms"), figures("queued", "ms"), figures("images/s", ""), figures("GFLOP/s", ""),
		figures("peak", "%"), figures("memory", "MB"), figures("speed-up", ""),
	}}
	for _, r := range rows {
		spread := table.Cell{}
		if r.Measured() {
			spread = table.Text(digits(*r.LatencyMSP10).String() + ".." + digits(*r.LatencyMSP90).String())
		}
		addRow(t, r,
			table.Text(r.Variant), table.Text(r.Form), published(r.ParamsMillions), published(r.FLOPsGiga),
			table.Optional(r.LatencyMSMedian, digits), spread, table.Optional(r.QueuedMSMedian, digits), table.Optional(r.ImagesPerSecond, digits), table.Optional(r.GFLOPSPerSecond, whole),
			table.Optional(r.PeakShare, func(v float64) table.Cell { return whole(100 * v) }), table.Optional(r.PeakMemoryMB, whole),
			table.Optional(r.SpeedupOverTrain, func(v float64) table.Cell { return table.Text(fmt.Sprintf("%.2fx", v)) }),
		)
	}
	return titled{title, t.WithoutEmpty()}
}

func baselineTable(r *bench.Report) titled {
	t := &table.Table{Mark: "noisy", Columns: []table.Column{
		variantColumn, {Name: "form"}, {Name: "precision"}, figures("batch", ""), figures("before", "ms"), figures("now", "ms"),
		figures("change", "%"), figures("noise", "%"), {Name: "verdict"},
	}}
	for i := range r.Rows {
		row := &r.Rows[i]
		if c := row.Baseline; c != nil {
			addRow(t, row,
				table.Text(row.Variant), table.Text(row.Form), table.Text(row.Precision), table.Int(row.BatchSize), digits(c.LatencyMSMedian), digits(*row.LatencyMSMedian),
				table.Text(fmt.Sprintf("%+.1f", 100*c.ChangeShare)), table.Fixed(100*c.NoiseShare, 1), table.Text(c.Verdict),
			)
		}
	}
	return titled{"against the baseline", t}
}

func layerTable(r *bench.Row) titled {
	t := &table.Table{Columns: []table.Column{
		{Name: "layer"}, {Name: "algorithm"}, figures("time", "ms"), figures("share", "%"), figures("GFLOP/s", ""),
	}}
	total := 0.0
	for _, l := range r.Layers {
		total += l.TimeMS
	}
	for _, l := range r.Layers {
		t.Add(table.Text(shortLayer(l.Name)), table.Text(l.Algorithm), digits(l.TimeMS), table.Fixed(100*l.TimeMS/max(total, 1e-12), 1), table.Optional(l.GFLOPSPerSecond, whole))
	}
	return titled{"layers of " + r.Label(), t}
}

// shortLayer removes the common prefix from a block's name.
func shortLayer(name string) string { return strings.TrimPrefix(name, "backbone.") }

func whole(v float64) table.Cell { return table.Fixed(v, 0) }

// published shows two decimals, like the published table, or more for small values.
func published(v float64) table.Cell {
	if v < 0.1 {
		return table.Fixed(v, 4)
	}
	return table.Fixed(v, 2)
}

// digits shows about four significant digits.
func digits(v float64) table.Cell {
	switch {
	case v >= 1000:
		return table.Fixed(v, 0)
	case v >= 100:
		return table.Fixed(v, 1)
	case v >= 10:
		return table.Fixed(v, 2)
	}
	return table.Fixed(v, 3)
}
