package table

import (
	"bufio"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// WriteText writes the table with aligned columns. Each line starts with indent
// spaces, and gap spaces separate the columns. If no column has a name, there is no
// heading. Cells with control characters are quoted.
func (t *Table) WriteText(w io.Writer, indent, gap int) error {
	heads, rows := t.heads(), t.texts()
	widths := make([]int, len(t.Columns))
	for _, line := range slices.Concat(heads, rows) {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	out := &textWriter{Writer: bufio.NewWriter(w)}
	write := func(line []string, marked bool) {
		out.skip(indent)
		for i, cell := range line {
			if i > 0 {
				out.skip(gap)
			}
			pad := widths[i] - utf8.RuneCountInString(cell)
			if t.Columns[i].Align == Right {
				out.skip(pad)
				pad = 0
			}
			out.put(cell)
			out.skip(pad)
		}
		if marked {
			out.put(" !")
		}
		out.end()
	}
	for _, line := range heads {
		write(line, false)
	}
	for i, line := range rows {
		write(line, t.Rows[i].Marked)
	}
	return out.Flush()
}

// heads returns the lines with the names and the units, if there are any.
func (t *Table) heads() [][]string {
	var names, units []string
	for _, c := range t.Columns {
		names, units = append(names, c.Name), append(units, c.Unit)
	}
	return slices.DeleteFunc([][]string{names, units}, func(line []string) bool {
		return !slices.ContainsFunc(line, func(s string) bool { return s != "" })
	})
}

// texts returns the cells of the rows as text.
func (t *Table) texts() [][]string {
	rows := make([][]string, len(t.Rows))
	for i, r := range t.Rows {
		rows[i] = make([]string, len(r.Cells))
	}
	for j, c := range t.Columns {
		column := make([]string, len(rows))
		for i, r := range t.Rows {
			column[i] = r.Cells[j].String()
		}
		if c.Most > 0 {
			column = shorten(column, c.Most)
		}
		for i, s := range column {
			rows[i][j] = Printable(s)
		}
	}
	return rows
}

// textWriter drops spaces at the end of a line. Flush returns its errors.
type textWriter struct {
	*bufio.Writer
	spaces int // pending, before the next text
}

func (w *textWriter) skip(n int) { w.spaces += n }

func (w *textWriter) put(s string) {
	if s == "" {
		return
	}
	w.WriteString(strings.Repeat(" ", w.spaces) + s)
	w.spaces = 0
}

func (w *textWriter) end() {
	w.WriteByte('\n')
	w.spaces = 0
}

// Printable quotes a text that contains control characters, which could affect a
// terminal.
func Printable(s string) string {
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsGraphic(c) }) {
		return strconv.Quote(s)
	}
	return s
}

// shorten drops the middle of long texts, but not so much that different texts
// become equal.
func shorten(texts []string, most int) []string {
	for ; ; most++ {
		short := make([]string, len(texts))
		full := make(map[string]string)
		clash := false
		for i, s := range texts {
			short[i] = s
			if letters := []rune(s); len(letters) > most {
				tail := most / 2
				short[i] = string(letters[:most-1-tail]) + "…" + string(letters[len(letters)-tail:])
			}
			other, known := full[short[i]]
			clash = clash || known && other != s
			full[short[i]] = s
		}
		if !clash {
			return short
		}
	}
}
