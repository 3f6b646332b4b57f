package benchreport

import (
	"bufio"
	"io"

	"repvgg/internal/bench"
	"repvgg/internal/table"
)

func writeMarkdown(out io.Writer, r *bench.Report) error {
	w := bufio.NewWriter(out)
	for _, line := range machineLines(&r.Machine) {
		w.WriteString(table.EscapeMarkdown(line) + "  \n")
	}
	for _, t := range append(rowTables(r), layerTables(r)...) {
		w.WriteString("\n**" + table.EscapeMarkdown(t.Title) + "**\n\n")
		if err := t.WriteMarkdown(w); err != nil {
			return err
		}
	}
	w.WriteString("\n" + table.EscapeMarkdown(about(r)) + "\n")
	for i, n := range notes(r) {
		if i == 0 {
			w.WriteByte('\n')
		}
		w.WriteString("- " + table.EscapeMarkdown(n) + "\n")
	}
	return w.Flush()
}
