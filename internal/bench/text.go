package bench

import (
	"bufio"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// lineWidth is what a line of text keeps to, where its words allow.
const lineWidth = 100

func (r *Report) writeText(out io.Writer) error {
	w := bufio.NewWriter(out)
	for _, line := range r.Machine.lines() {
		writeWrapped(w, line, "")
	}
	for _, t := range r.tables() {
		w.WriteByte('\n')
		w.WriteString(t.Title + "\n\n")
		t.writeText(w)
	}
	w.WriteByte('\n')
	writeWrapped(w, r.about(), "")
	for _, n := range r.notes() {
		writeWrapped(w, "! "+n, "  ")
	}
	return w.Flush()
}

// longName is how many letters of a long name are shown.
const longName = 16

// shortened has the long words shortened.
func (t *table) shortened() [][]string {
	rows := make([][]string, len(t.Rows))
	for i := range rows {
		rows[i] = slices.Clone(t.Rows[i])
	}
	for j, c := range t.Head {
		if !c.Long {
			continue
		}
		var names []string
		for i := range rows {
			names = append(names, rows[i][j])
		}
		for i, name := range shortenAll(names, longName) {
			rows[i][j] = name
		}
	}
	return rows
}

// writeText aligns the columns. A noisy row ends in "!".
func (t *table) writeText(w *bufio.Writer) {
	var names, units []string
	withUnits := false
	for _, c := range t.Head {
		names, units = append(names, c.Name), append(units, c.Unit)
		withUnits = withUnits || c.Unit != ""
	}
	lines := [][]string{names}
	if withUnits {
		lines = append(lines, units)
	}
	heads := len(lines)
	lines = append(lines, t.shortened()...)
	widths := make([]int, len(t.Head))
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for i, line := range lines {
		var b strings.Builder
		for j, cell := range line {
			pad := strings.Repeat(" ", widths[j]-utf8.RuneCountInString(cell))
			if j > 0 {
				b.WriteString("  ")
			}
			if t.Head[j].Words {
				b.WriteString(cell + pad)
			} else {
				b.WriteString(pad + cell)
			}
		}
		if i >= heads && t.Marked[i-heads] {
			b.WriteString(" !")
		}
		w.WriteString(strings.TrimRight(b.String(), " ") + "\n")
	}
}

// writeWrapped breaks a paragraph into lines; those after the first begin with
// indent.
func writeWrapped(w *bufio.Writer, text, indent string) {
	at := 0
	for word := range strings.FieldsSeq(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case at == 0:
		case at+1+n > lineWidth:
			w.WriteString("\n" + indent)
			at = len(indent)
		default:
			w.WriteByte(' ')
			at++
		}
		w.WriteString(word)
		at += n
	}
	w.WriteByte('\n')
}
