// Package benchreport writes what bench measured: as text, JSON, CSV, Markdown,
// lines for benchstat, pictures and a page of HTML.
package benchreport

import (
	"bufio"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"repvgg/internal/atomicfile"
	"repvgg/internal/bench"
)

// writers of the formats by name.
var writers = []struct {
	name, extension string
	write           func(io.Writer, *bench.Report) error
}{
	{"text", ".txt", writeText},
	{"json", ".json", writeJSON},
	{"csv", ".csv", writeCSV},
	{"markdown", ".md", writeMarkdown},
	{"benchstat", ".bench", writeBenchstat},
	{"html", ".html", writeHTML},
}

// Formats are the names that Write takes.
func Formats() []string {
	var names []string
	for _, w := range writers {
		names = append(names, w.name)
	}
	return names
}

// FormatOf is the format that a file's name asks for.
func FormatOf(path string) (string, error) {
	var known []string
	for _, w := range writers {
		if strings.EqualFold(filepath.Ext(path), w.extension) {
			return w.name, nil
		}
		known = append(known, w.extension)
	}
	return "", fmt.Errorf("%q: want a name that ends in one of %s", path, strings.Join(known, " "))
}

// Write writes the report in one of Formats.
func Write(w io.Writer, r *bench.Report, format string) error {
	for _, known := range writers {
		if known.name == format {
			return known.write(w, r)
		}
	}
	return fmt.Errorf("format %q is unknown: want one of %s", format, strings.Join(Formats(), " "))
}

// WriteFile writes the report to a file in the format of its name.
func WriteFile(path string, r *bench.Report) error {
	format, err := FormatOf(path)
	if err != nil {
		return err
	}
	return atomicfile.Write(path, func(w *bufio.Writer) error { return Write(w, r, format) })
}
