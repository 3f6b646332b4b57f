package table

import (
	"bufio"
	"io"
	"strings"
)

// WriteMarkdown writes the table in GitHub's Markdown.
func (t *Table) WriteMarkdown(w io.Writer) error {
	out := bufio.NewWriter(w)
	head, rule := "|", "|"
	for _, c := range t.Columns {
		name := c.Name
		if c.Unit != "" {
			name += " (" + c.Unit + ")"
		}
		head += " " + EscapeMarkdown(name) + " |"
		rule += c.rule() + "|"
	}
	out.WriteString(head + "\n" + rule + "\n")
	for _, row := range t.Rows {
		out.WriteByte('|')
		for j, c := range row.Cells {
			text := c.String()
			if c.kind != markup {
				text = EscapeMarkdown(text)
			}
			if row.Marked && j == 0 {
				text += " (" + t.Mark + ")"
			}
			out.WriteString(" " + text + " |")
		}
		out.WriteByte('\n')
	}
	return out.Flush()
}

// rule returns the separator below a column's name. The original's pages centre
// their columns, with separators as long as the names.
func (c *Column) rule() string {
	switch c.Align {
	case Right:
		return "---:"
	case Center:
		return " :" + strings.Repeat("-", max(len(c.Name)-2, 1)) + ": "
	}
	return "---"
}

// EscapeMarkdown escapes text from a user's files, so that it is not interpreted as
// Markdown.
func EscapeMarkdown(text string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "*", `\*`, "`", "\\`", "\n", " ").Replace(text)
}
