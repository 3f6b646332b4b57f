package dataset

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"repvgg/internal/infile"
)

// maxLine bounds the length of a line in a text file, in bytes.
const maxLine = 64 << 10

// readAnnFile lists the samples of an ann_file: on each line a name and a
// label, parted by the last space. Blank lines may stand at its end. Whether the
// images are there is not checked (with many of them on a network disk that takes
// minutes) but for the first.
func (d *Dataset) readAnnFile(ctx context.Context, path, prefix string) error {
	blank := 0 // the first blank line
	err := eachLine(ctx, path, func(number int, line string) error {
		line = strings.TrimSpace(line)
		if line == "" && blank == 0 {
			blank = number
		}
		if line == "" {
			return nil
		}
		if blank > 0 {
			return fmt.Errorf("reading ann_file \"%s:%d\": the line is blank: remove it", path, blank)
		}
		name, label, err := parseLine(line)
		if err != nil {
			return fmt.Errorf("reading ann_file \"%s:%d\": %w", path, number, err)
		}
		d.Samples = append(d.Samples, Sample{Name: name, Path: join(prefix, name), Label: label})
		return nil
	})
	if missing, ok := errors.AsType[*fs.PathError](err); ok {
		advice := ""
		if errors.Is(err, fs.ErrNotExist) {
			advice = "; paths in a config are relative to the current folder" + noBackslashes(path)
		}
		return fmt.Errorf("reading ann_file %q: %w%s", path, missing.Err, advice)
	}
	if err != nil {
		return err
	}
	if len(d.Samples) == 0 {
		return fmt.Errorf("reading ann_file %q: it has no lines; each line must have an image path and a label", path)
	}
	d.turnBackslashes(path, prefix)
	if _, err := os.Stat(d.Samples[0].Path); err != nil {
		return about("Prefix", fmt.Errorf("looking for the first image of ann_file %q: %w; check data_prefix %q%s", path, err, prefix, noBackslashes(prefix)))
	}
	return nil
}

// noBackslashes is advice on a path of Windows.
func noBackslashes(path string) string {
	if strings.Contains(path, `\`) {
		return `; write / for \ in it`
	}
	return ""
}

// turnBackslashes makes slashes of the backslashes in a list that was written on
// Windows. On other systems they may be part of a name: the first that has one tells
// by the file that is there.
func (d *Dataset) turnBackslashes(path, prefix string) {
	slashes := strings.NewReplacer(`\`, "/")
	i := slices.IndexFunc(d.Samples, func(s Sample) bool { return strings.Contains(s.Name, `\`) })
	if i < 0 {
		return
	}
	if _, err := os.Stat(d.Samples[i].Path); err == nil {
		return
	}
	if _, err := os.Stat(join(prefix, slashes.Replace(d.Samples[i].Name))); err != nil {
		return
	}
	for i := range d.Samples {
		s := &d.Samples[i]
		s.Name = slashes.Replace(s.Name)
		s.Path = join(prefix, s.Name)
	}
	d.Warnings = append(d.Warnings, fmt.Sprintf(`ann_file %q was written on Windows: the \ in its paths are read as /`, path))
}

// parseLine takes a line apart. A name may hold spaces.
func parseLine(line string) (name string, label int, err error) {
	if strings.Contains(line, "\r") {
		return "", 0, errors.New("it has a carriage return within it: end lines by a line feed")
	}
	i := strings.LastIndexByte(line, ' ')
	if i < 0 {
		return "", 0, fmt.Errorf("want an image path, a space and a label, got %q", shorten(line))
	}
	label, err = strconv.Atoi(line[i+1:])
	if err != nil {
		return "", 0, fmt.Errorf("label %q is not an integer", shorten(line[i+1:]))
	}
	return line[:i], label, nil
}

func shorten(s string) string {
	const most = 40
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}

// eachLine calls f with the number (from 1) and the text of each line, without a
// byte order mark.
func eachLine(ctx context.Context, path string, f func(number int, line string) error) error {
	file, err := infile.Open(ctx, path)
	if err != nil {
		return err
	}
	defer file.Close()
	scanner := bufio.NewScanner(file)
	scanner.Buffer(make([]byte, 0, 4096), maxLine)
	number := 0
	for scanner.Scan() {
		line := scanner.Text()
		if number++; number == 1 {
			if strings.HasPrefix(line, "\xff\xfe") || strings.HasPrefix(line, "\xfe\xff") {
				return fmt.Errorf("reading %q: it is UTF-16: save it as UTF-8", path)
			}
			line = strings.TrimPrefix(line, "\ufeff")
		}
		if err := f(number, line); err != nil {
			return err
		}
	}
	switch err := scanner.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return fmt.Errorf("reading \"%s:%d\": the line has more than %d bytes", path, number+1, maxLine)
	case err != nil:
		return fmt.Errorf("reading \"%s:%d\": %w", path, number+1, err)
	}
	return nil
}
