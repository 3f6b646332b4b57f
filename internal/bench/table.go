package bench

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// table is what text, Markdown and HTML show in their own ways.
type table struct {
	Title string
	Head  []column
	Rows  [][]string
	// Marked rows are noisy.
	Marked []bool
}

type column struct {
	Name, Unit string
	// Words are aligned to the left.
	Words bool
	// Long words may be shortened where there is little room.
	Long bool
}

// rowTables have a line for each row: one table for each setting, and one
// against the baseline.
func (r *Report) rowTables() []table {
	var all []table
	for _, group := range r.settings() {
		all = append(all, speedTable(group))
	}
	if t := r.baselineTable(); len(t.Rows) > 0 {
		all = append(all, t)
	}
	return all
}

// layerTables have a line for each layer, where layers were measured.
func (r *Report) layerTables() []table {
	var all []table
	for i := range r.Rows {
		if row := &r.Rows[i]; len(row.Layers) > 0 {
			all = append(all, layerTable(row))
		}
	}
	return all
}

func (r *Report) tables() []table { return append(r.rowTables(), r.layerTables()...) }

func speedTable(rows []*Row) table {
	t := table{Title: rows[0].setting(), Head: []column{
		{Name: "variant", Words: true, Long: true}, {Name: "form", Words: true}, {Name: "params", Unit: "M"}, {Name: "FLOPs", Unit: "G"},
		{Name: "median", Unit: "ms"}, {Name: "p10..p90", Unit: "ms"}, {Name: "queued", Unit: "ms"}, {Name: "images/s"}, {Name: "GFLOP/s"},
		{Name: "peak", Unit: "%"}, {Name: "memory", Unit: "MB"}, {Name: "speed-up"},
	}}
	if p := rows[0].PeakGFLOPSPerSecond; p != nil {
		t.Title += fmt.Sprintf(", peak %.0f GFLOP/s", *p)
	}
	for _, r := range rows {
		spread := "-"
		if r.measured() {
			spread = number(*r.LatencyMSP10) + ".." + number(*r.LatencyMSP90)
		}
		t.Rows = append(t.Rows, []string{
			r.Variant, r.Form, published(r.ParamsMillions), published(r.FLOPsGiga),
			optional("", 1, r.LatencyMSMedian, ""), spread, optional("", 1, r.QueuedMSMedian, ""), optional("", 1, r.ImagesPerSecond, ""), optional("%.0f", 1, r.GFLOPSPerSecond, ""),
			optional("%.0f", 100, r.PeakShare, ""), optional("%.0f", 1, r.PeakMemoryMB, ""), optional("%.2f", 1, r.SpeedupOverTrain, "x"),
		})
		t.Marked = append(t.Marked, r.Noisy != nil && *r.Noisy)
	}
	return t.withoutEmpty()
}

func (r *Report) baselineTable() table {
	t := table{Title: "against the baseline", Head: []column{
		{Name: "variant", Words: true, Long: true}, {Name: "form", Words: true}, {Name: "precision", Words: true}, {Name: "batch"}, {Name: "before", Unit: "ms"}, {Name: "now", Unit: "ms"},
		{Name: "change", Unit: "%"}, {Name: "noise", Unit: "%"}, {Name: "verdict", Words: true},
	}}
	for i := range r.Rows {
		row := &r.Rows[i]
		if c := row.Baseline; c != nil {
			t.Rows = append(t.Rows, []string{
				row.Variant, row.Form, row.Precision, strconv.Itoa(row.BatchSize), number(c.LatencyMSMedian), number(*row.LatencyMSMedian),
				fmt.Sprintf("%+.1f", 100*c.ChangeShare), fmt.Sprintf("%.1f", 100*c.NoiseShare), c.Verdict,
			})
			t.Marked = append(t.Marked, row.Noisy != nil && *row.Noisy)
		}
	}
	return t
}

func layerTable(r *Row) table {
	t := table{Title: "layers of " + r.Label(), Head: []column{
		{Name: "layer", Words: true}, {Name: "algorithm", Words: true}, {Name: "time", Unit: "ms"}, {Name: "share", Unit: "%"}, {Name: "GFLOP/s"},
	}}
	total := 0.0
	for _, l := range r.Layers {
		total += l.TimeMS
	}
	for _, l := range r.Layers {
		t.Rows = append(t.Rows, []string{
			shortLayer(l.Name), l.Algorithm, number(l.TimeMS), fmt.Sprintf("%.1f", 100*l.TimeMS/max(total, 1e-12)), optional("%.0f", 1, l.GFLOPSPerSecond, ""),
		})
		t.Marked = append(t.Marked, false)
	}
	return t
}

// shortLayer is a block's name without what all have.
func shortLayer(name string) string { return strings.TrimPrefix(name, "backbone.") }

// withoutEmpty leaves out columns in which nothing was measured.
func (t table) withoutEmpty() table {
	kept := table{Title: t.Title, Rows: make([][]string, len(t.Rows)), Marked: t.Marked}
	for i, c := range t.Head {
		empty := true
		for _, row := range t.Rows {
			empty = empty && row[i] == "-"
		}
		if empty {
			continue
		}
		kept.Head = append(kept.Head, c)
		for j, row := range t.Rows {
			kept.Rows[j] = append(kept.Rows[j], row[i])
		}
	}
	return kept
}

// optional formats scale times a value, if there is one; an empty format is
// that of number.
func optional(format string, scale float64, v *float64, unit string) string {
	if v == nil {
		return "-"
	}
	if format == "" {
		return number(scale**v) + unit
	}
	return fmt.Sprintf(format, scale**v) + unit
}

// published shows two digits as the published table does, or more of what is
// small.
func published(v float64) string {
	if v < 0.1 {
		return fmt.Sprintf("%.4f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// number shows about four digits.
func number(v float64) string {
	switch {
	case v >= 1000:
		return fmt.Sprintf("%.0f", v)
	case v >= 100:
		return fmt.Sprintf("%.1f", v)
	case v >= 10:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3f", v)
}

// shorten keeps the first letters of a long name.
func shorten(name string, most int) string {
	if utf8.RuneCountInString(name) <= most {
		return name
	}
	return string([]rune(name)[:most-1]) + "…"
}

// shortenAll takes letters from the middle of long names, no more than leaves
// different names different.
func shortenAll(names []string, most int) []string {
	for ; ; most++ {
		short := make([]string, len(names))
		full := make(map[string]string)
		clash := false
		for i, name := range names {
			short[i] = name
			if letters := []rune(name); len(letters) > most {
				tail := most / 2
				short[i] = string(letters[:most-1-tail]) + "…" + string(letters[len(letters)-tail:])
			}
			other, known := full[short[i]]
			clash = clash || known && other != name
			full[short[i]] = name
		}
		if !clash {
			return short
		}
	}
}
