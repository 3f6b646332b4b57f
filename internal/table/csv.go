package table

import (
	"encoding/csv"
	"io"
)

// CSV writes a table that is too large to be held, or is not known yet, a row at a
// time.
type CSV struct{ out *csv.Writer }

// NewCSV starts with a line of names. Errors are left to Flush.
func NewCSV(w io.Writer, names []string) *CSV {
	c := &CSV{csv.NewWriter(w)}
	_ = c.out.Write(names) // Flush gives it again
	return c
}

// Add writes a row.
func (c *CSV) Add(cells ...Cell) {
	record := make([]string, len(cells))
	for i, cell := range cells {
		record[i] = cell.text
	}
	_ = c.out.Write(record) // Flush gives it again
}

// Flush hands what was added to the writer, and gives the first error.
func (c *CSV) Flush() error {
	c.out.Flush()
	return c.out.Error()
}

// WriteCSV writes a line with the columns' names, then one line per row.
func (t *Table) WriteCSV(w io.Writer) error {
	c := NewCSV(w, t.names())
	for _, r := range t.Rows {
		c.Add(r.Cells...)
	}
	return c.Flush()
}

func (t *Table) names() []string {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.Name
	}
	return names
}
