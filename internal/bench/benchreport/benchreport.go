// Package benchreport writes a bench report as text, JSON, CSV, Markdown, benchstat
// input, HTML and pictures.
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

// writers are the formats with their names and functions.
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

// Formats returns the names of the formats.
func Formats() []string {
	var names []string
	for _, w := range writers {
		names = append(names, w.name)
	}
	return names
}

// FormatOf returns the format for a file name.
func FormatOf(path string) (string, error) {
	var known []string
	for _, w := range writers {
		if strings.EqualFold(filepath.Ext(path), w.extension) {
			return w.name, nil
		}
		known = append(known, w.extension)
	}
	return "", fmt.Errorf("%q: the name must end in one of %s", path, strings.Join(known, " "))
}

// Write writes the report in the format with the given name.
func Write(w io.Writer, r *bench.Report, format string) error {
	for _, known := range writers {
		if known.name == format {
			return known.write(w, r)
		}
	}
	return fmt.Errorf("unknown format %q: want one of %s", format, strings.Join(Formats(), " "))
}

// WriteFile writes the report to a file, in the format that its name asks for.
func WriteFile(path string, r *bench.Report) error {
	format, err := FormatOf(path)
	if err != nil {
		return err
	}
	return atomicfile.Write(path, func(w *bufio.Writer) error { return Write(w, r, format) })
}
