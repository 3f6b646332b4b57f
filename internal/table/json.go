package table

import (
	"bytes"
	"encoding/json"
	"io"
)

// WriteJSON writes a value as JSON with an indentation of two spaces. All JSON
// results use it.
func WriteJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// JSONList writes a list as WriteJSON does, an item at a time.
type JSONList struct {
	w     io.Writer
	items int
}

// NewJSONList starts a list. Nothing is written before its first item or its end.
func NewJSONList(w io.Writer) *JSONList { return &JSONList{w: w} }

// Add writes an item.
func (l *JSONList) Add(v any) error {
	var b bytes.Buffer
	before := ",\n  "
	if l.items == 0 {
		before = "[\n  "
	}
	b.WriteString(before)
	e := json.NewEncoder(&b)
	e.SetIndent("  ", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	l.items++
	_, err := l.w.Write(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
	return err
}

// End ends the list.
func (l *JSONList) End() error {
	text := "\n]\n"
	if l.items == 0 {
		text = "[]\n"
	}
	_, err := io.WriteString(l.w, text)
	return err
}

// MarshalJSON writes a list with an object for each row, whose keys are the
// columns' names in their order.
func (t *Table) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	b.WriteByte('[')
	for i, r := range t.Rows {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('{')
		for j, c := range r.Cells {
			if j > 0 {
				b.WriteByte(',')
			}
			if err := e.Encode(t.Columns[j].Name); err != nil {
				return nil, err
			}
			b.WriteByte(':')
			if err := e.Encode(c.json()); err != nil {
				return nil, err
			}
		}
		b.WriteByte('}')
	}
	b.WriteByte(']')
	return b.Bytes(), nil
}

// json returns the cell as a value for encoding/json.
func (c Cell) json() any {
	switch c.kind {
	case none, notFinite:
		return nil
	case literal:
		return json.RawMessage(c.text)
	}
	return c.text
}
