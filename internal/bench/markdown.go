package bench

import (
	"bufio"
	"io"
	"strings"
)

func (r *Report) writeMarkdown(out io.Writer) error {
	w := bufio.NewWriter(out)
	for _, line := range r.Machine.lines() {
		w.WriteString(escapeMarkdown(line) + "  \n")
	}
	for _, t := range r.tables() {
		w.WriteString("\n**" + escapeMarkdown(t.Title) + "**\n\n")
		t.writeMarkdown(w)
	}
	w.WriteString("\n" + escapeMarkdown(r.about()) + "\n")
	for i, n := range r.notes() {
		if i == 0 {
			w.WriteByte('\n')
		}
		w.WriteString("- " + escapeMarkdown(n) + "\n")
	}
	return w.Flush()
}

func (t *table) writeMarkdown(w *bufio.Writer) {
	head, rule := "|", "|"
	for _, c := range t.Head {
		name := c.Name
		if c.Unit != "" {
			name += " (" + c.Unit + ")"
		}
		head += " " + escapeMarkdown(name) + " |"
		if c.Words {
			rule += "---|"
		} else {
			rule += "---:|"
		}
	}
	w.WriteString(head + "\n" + rule + "\n")
	for i, row := range t.Rows {
		w.WriteByte('|')
		for j, cell := range row {
			cell = escapeMarkdown(cell)
			if t.Marked[i] && j == 0 {
				cell += " (noisy)"
			}
			w.WriteString(" " + cell + " |")
		}
		w.WriteByte('\n')
	}
}

// escapeMarkdown keeps names from a user's files from being markup.
func escapeMarkdown(text string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "*", `\*`, "`", "\\`", "\n", " ").Replace(text)
}
