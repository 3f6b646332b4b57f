package benchreport

import (
	"bufio"
	"io"
	"strings"
	"unicode/utf8"

	"repvgg/internal/bench"
)

// lineWidth is the longest line of text, unless a single word is longer.
const lineWidth = 100

func writeText(out io.Writer, r *bench.Report) error {
	w := bufio.NewWriter(out)
	for _, line := range machineLines(&r.Machine) {
		writeWrapped(w, line, "")
	}
	for _, t := range append(rowTables(r), layerTables(r)...) {
		w.WriteString("\n" + t.Title + "\n\n")
		if err := t.WriteText(w, 0, 2); err != nil {
			return err
		}
	}
	w.WriteByte('\n')
	writeWrapped(w, about(r), "")
	for _, n := range notes(r) {
		writeWrapped(w, "! "+n, "  ")
	}
	return w.Flush()
}

// writeWrapped breaks a paragraph into lines. Lines after the first start with
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
