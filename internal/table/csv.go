package table

import (
	"encoding/csv"
	"io"
	"iter"
)

// WriteCSV writes a line with the names, then one line per row. A table that is too
// large for memory can produce its rows one by one, and may reuse the slice.
func WriteCSV(w io.Writer, names []string, rows iter.Seq[[]Cell]) error {
	out := csv.NewWriter(w)
	if err := out.Write(names); err != nil {
		return err
	}
	record := make([]string, len(names))
	for cells := range rows {
		for i, c := range cells {
			record[i] = c.text
		}
		if err := out.Write(record); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// WriteCSV writes a line with the columns' names, then one line per row.
func (t *Table) WriteCSV(w io.Writer) error {
	return WriteCSV(w, t.names(), func(yield func([]Cell) bool) {
		for _, r := range t.Rows {
			if !yield(r.Cells) {
				return
			}
		}
	})
}

func (t *Table) names() []string {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.Name
	}
	return names
}
