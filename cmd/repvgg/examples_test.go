package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// pages returns the documents that are not generated.
func pages(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"*.md", "docs/*.md"} {
		some, err := filepath.Glob(filepath.Join(repository, pattern))
		if err != nil || len(some) < 3 {
			t.Fatalf("%q gives %q, %v", pattern, some, err)
		}
		all = append(all, some...)
	}
	return all
}

const repository = "../.."

// consoleBlock matches an example with its output. consoleNumber matches what may
// differ from machine to machine: numbers and the spaces that align them.
var (
	consoleBlock  = regexp.MustCompile("(?ms)^```console\n(.*?)^```$")
	consoleNumber = regexp.MustCompile(` *-?[0-9][0-9.]*(e[-+][0-9]+)?`)
)

// TestExamples runs the examples in the documents, and compares the output with the
// page. Numbers may differ.
func TestExamples(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the examples are for Linux")
	}
	for _, page := range pages(t) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		blocks := consoleBlock.FindAllSubmatch(text, -1)
		if len(blocks) == 0 {
			continue
		}
		t.Run(filepath.Base(page), func(t *testing.T) {
			t.Parallel()
			tmp := t.TempDir() + "/"
			dir, err := filepath.Abs(repository)
			if err != nil {
				t.Fatal(err)
			}
			for _, block := range blocks {
				for _, example := range strings.Split("\n"+string(block[1]), "\n$ ")[1:] {
					command, want := splitExample(example)
					if folder, ok := strings.CutPrefix(command, "cd "); ok {
						dir = filepath.Join(repository, folder)
						continue
					}
					sh := exec.Command("sh", "-c", strings.ReplaceAll(command, "/tmp/", tmp))
					sh.Dir = dir
					out, err := sh.CombinedOutput() // an example may show an error
					if exit := sh.ProcessState.ExitCode(); err != nil && exit != 1 {
						t.Errorf("%s: %v", command, err)
					}
					got := strings.TrimRight(strings.ReplaceAll(string(out), tmp, "/tmp/"), "\n")
					if !matches(got, want) {
						t.Errorf("%s prints\n%s\nbut the page says\n%s", command, got, want)
					}
				}
			}
		})
	}
}

// splitExample separates a command, whose further lines start with "> ", from its
// output.
func splitExample(text string) (command, output string) {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	n := 1
	for ; n < len(lines) && strings.HasPrefix(lines[n], "> "); n++ {
		lines[n] = lines[n][2:]
	}
	return strings.Join(lines[:n], "\n"), strings.Join(lines[n:], "\n")
}

// matches compares an output with a page, on which [...] means any text.
func matches(got, want string) bool {
	var parts []string
	for part := range strings.SplitSeq(want, "[...]") {
		parts = append(parts, regexp.QuoteMeta(consoleNumber.ReplaceAllString(part, "#")))
	}
	return regexp.MustCompile("(?s)^" + strings.Join(parts, ".*") + "$").MatchString(consoleNumber.ReplaceAllString(got, "#"))
}

// TestLinks checks that the links of the documents lead to files and headings that
// exist.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	checked := 0
	for _, page := range pages(t) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllSubmatch(text, -1) {
			target := string(m[1])
			if strings.Contains(target, "://") {
				continue
			}
			file, heading, _ := strings.Cut(target, "#")
			path := page
			if file != "" {
				path = filepath.Join(filepath.Dir(page), file)
			}
			checked++
			if content, err := os.ReadFile(path); heading != "" && (err != nil || !hasHeading(string(content), heading)) {
				t.Errorf("%s: no heading for %s", page, target)
			} else if _, err := os.Stat(path); err != nil {
				t.Errorf("%s: %v", page, err)
			}
		}
	}
	if checked < 50 {
		t.Errorf("only %d links were found", checked)
	}
}

// hasHeading reports whether the page has a heading with GitHub's anchor.
func hasHeading(page, anchor string) bool {
	drop := regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	for line := range strings.Lines(page) {
		title := strings.TrimLeft(line, "#")
		if len(title) < len(line) && strings.ReplaceAll(drop.ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), ""), " ", "-") == anchor {
			return true
		}
	}
	return false
}
