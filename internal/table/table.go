// Package table writes results: tables as aligned text, CSV, JSON and Markdown,
// other values as JSON.
package table

import "slices"

// Table is rows of cells under columns.
type Table struct {
	Columns []Column
	Rows    []Row
	// Mark says in a word what is the matter with marked rows.
	Mark string
}

// Column is what the cells of a column have in common.
type Column struct {
	// Name stands above the column, and is its key in JSON.
	Name string
	// Unit stands below the name in text, and behind it in Markdown.
	Unit  string
	Align Align
	// Most is how many letters text shows of a cell: longer ones lose their
	// middle, unless that makes different ones the same. 0 is no limit.
	Most int
}

// Align is the side at which the cells of a column meet.
type Align uint8

// What Column.Align can be. CSV and JSON have no sides. Text puts what Markdown
// centres to the left.
const (
	Left Align = iota
	Right
	Center
)

// Row has a cell for each column.
type Row struct {
	Cells []Cell
	// Marked rows end in "!" in text. In Markdown their first cell ends in Mark.
	Marked bool
}

// Add adds a row.
func (t *Table) Add(cells ...Cell) { t.Rows = append(t.Rows, Row{Cells: cells}) }

// WithoutEmpty is the table without the columns in which no row has a value.
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
