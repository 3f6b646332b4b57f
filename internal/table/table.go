// Package table writes tables as aligned text, CSV, JSON and Markdown, and other
// values as JSON.
package table

import "slices"

// Table is a list of columns and a list of rows.
type Table struct {
	Columns []Column
	Rows    []Row
	// Mark is a word that says why rows are marked.
	Mark string
}

// Column describes a column.
type Column struct {
	// Name is the heading of the column, and its key in JSON.
	Name string
	// Unit is written below the name in text, and after it in Markdown.
	Unit  string
	Align Align
	// Most is the number of letters of a cell that text shows. The middle of a longer
	// cell is dropped, unless that would make different cells equal. 0 means no limit.
	Most int
}

// Align is the alignment of a column.
type Align uint8

// The values of Column.Align. Text aligns Center to the left. CSV and JSON ignore
// the alignment.
const (
	Left Align = iota
	Right
	Center
)

// Row has one cell for each column.
type Row struct {
	Cells []Cell
	// Marked rows end in "!" in text. In Markdown their first cell ends in Mark.
	Marked bool
}

// Add adds a row.
func (t *Table) Add(cells ...Cell) { t.Rows = append(t.Rows, Row{Cells: cells}) }

// WithoutEmpty returns the table without the columns in which all cells are
// unknown.
func (t *Table) WithoutEmpty() *Table {
	kept := &Table{Rows: make([]Row, len(t.Rows)), Mark: t.Mark}
	for j, r := range t.Rows {
		kept.Rows[j].Marked = r.Marked
	}
	for i, c := range t.Columns {
		if !slices.ContainsFunc(t.Rows, func(r Row) bool { return r.Cells[i].kind != none }) {
			continue
		}
		kept.Columns = append(kept.Columns, c)
		for j, r := range t.Rows {
			kept.Rows[j].Cells = append(kept.Rows[j].Cells, r.Cells[i])
		}
	}
	return kept
}
