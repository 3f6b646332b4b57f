package dataset

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// maxLine bounds the lines of text files, in bytes.
const maxLine = 64 << 10

// readAnnFile lists the samples of an ann_file: on each line a name and a
// label, parted by the last space. Whether the images are there is not checked
// (with many of them on a network disk that takes minutes) but for the first.
func (d *Dataset) readAnnFile(path, prefix string) error {
	err := eachLine(path, func(number int, line string) error {
		name, label, err := parseLine(line)
		if err != nil {
			return fmt.Errorf("reading ann_file \"%s:%d\": %w", path, number, err)
		}
		d.Samples = append(d.Samples, Sample{Name: name, Path: join(prefix, name), Label: label})
		return nil
	})
	if missing, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("reading ann_file %q: %w; a path of a config is relative to the current folder", path, missing.Err)
	}
	if err != nil {
		return err
	}
	if len(d.Samples) == 0 {
		return fmt.Errorf("reading ann_file %q: it has no lines; want lines of an image path and a label", path)
	}
	if _, err := os.Stat(d.Samples[0].Path); err != nil {
		return about("Prefix", fmt.Errorf("looking for the first image of ann_file %q: %w; check data_prefix %q", path, err, prefix))
	}
	return nil
}

// parseLine takes a line apart. A name may hold spaces.
func parseLine(line string) (name string, label int, err error) {
	line = strings.TrimSpace(line)
	if line == "" {
		return "", 0, errors.New("the line is blank: remove it")
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
		return s[:most] + "..."
	}
	return s
}

// eachLine calls f with the number (from 1) and the text of each line.
func eachLine(path string, f func(number int, line string) error) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	scanner := bufio.NewScanner(file)
	scanner.Buffer(make([]byte, 0, 4096), maxLine)
	number := 0
	for scanner.Scan() {
		number++
		if err := f(number, scanner.Text()); err != nil {
			return err
		}
	}
	if err := scanner.Err(); err != nil {
		return fmt.Errorf("reading \"%s:%d\": %w", path, number+1, err)
	}
	return nil
}
