package benchreport

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"repvgg/internal/bench"
)

func render(t *testing.T, r *bench.Report, format string) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, r, format); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Every format names the machine, its kernels and the JPEG decoder, and contains a
// known speed.
func TestFormatsNameTheMachine(t *testing.T) {
	r := zooReport(t)
	r.Machine.CPU, r.Machine.Kernels, r.Machine.JPEGDecoder = "Processor 8", "avx7", "libjpeg9"
	for _, format := range Formats() {
		text := render(t, r, format)
		for _, want := range []string{"Processor 8", "avx7", "libjpeg9", "go1.26", "B1g4"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s lacks %q", format, want)
			}
		}
	}
}

func TestTextFitsATerminal(t *testing.T) {
	r := zooReport(t)
	if notes := r.Compare(zooReport(t)); len(notes) > 0 {
		t.Errorf("notes %q", notes)
	}
	for i := range r.Rows {
		if r.Rows[i].Baseline == nil {
			t.Errorf("row %d has no baseline", i)
		}
	}
	for line := range strings.Lines(render(t, r, "text")) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > lineWidth {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

func TestJSONRoundTrip(t *testing.T) {
	r := zooReport(t)
	path := filepath.Join(t.TempDir(), "r.json")
	if err := WriteFile(path, r); err != nil {
		t.Fatal(err)
	}
	got, err := Read(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range r.Rows {
		r.Rows[i].Notes = []string{} // reading gives an empty list, not nil
	}
	if diff := cmp.Diff(r, got); diff != "" {
		t.Error(diff)
	}
}

// CSV has a column for each single-valued field of JSON.
func TestCSVHasTheFieldsOfJSON(t *testing.T) {
	r := zooReport(t)
	lines, err := csv.NewReader(strings.NewReader(render(t, r, "csv"))).ReadAll()
	if err != nil || len(lines) != 25 {
		t.Fatalf("%d lines, %v", len(lines), err)
	}
	var fields map[string]any
	data, err := json.Marshal(r.Rows[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &fields); err != nil {
		t.Fatal(err)
	}
	for _, deep := range []string{"layers", "baseline", "latency_ms_rounds"} {
		delete(fields, deep)
	}
	for _, c := range csvColumns {
		if _, ok := fields[c.name]; !ok {
			t.Errorf("column %q is no field of JSON", c.name)
		}
		delete(fields, c.name)
	}
	for name := range fields {
		t.Errorf("field %q has no column", name)
	}
}

// benchstat reads lines with a name, a count, and values with units.
func TestBenchstatLines(t *testing.T) {
	line := regexp.MustCompile(`^Benchmark[A-Z0-9]\S*-\d+\t\d+\t\d+ ns/op(\t\S+ \S+)*$`)
	samples := 0
	for l := range strings.Lines(render(t, zooReport(t), "benchstat")) {
		if strings.HasPrefix(l, "Benchmark") {
			samples++
			if !line.MatchString(strings.TrimSuffix(l, "\n")) {
				t.Errorf("line %q", l)
			}
		}
	}
	if samples != 24*len(medians) {
		t.Errorf("%d lines, want %d", samples, 24*len(medians))
	}
	if got := benchName("ünder the/line-x"); got != "Ünder_the_line_x" {
		t.Errorf("name is %q", got)
	}
}

// Long names are complete in Markdown and HTML. Text drops their middle, unless
// that would make two names equal.
func TestLongNames(t *testing.T) {
	names := []string{"network_of_many_words_wide_v1", "network_of_many_words_deep_v1", "another_network_with_words_v2"}
	r := &bench.Report{}
	for _, name := range names {
		r.Rows = append(r.Rows, bench.Row{Config: name, Variant: name, Form: "train"})
	}
	for _, format := range []string{"markdown", "html", "csv", "json"} {
		text := render(t, r, format)
		for _, name := range names {
			if !strings.Contains(text, name) {
				t.Errorf("%s lacks %q", format, name)
			}
		}
	}
	text := render(t, r, "text")
	for _, want := range []string{"wide_v1", "deep_v1", "another…words_v2"} {
		if !strings.Contains(text, want) {
			t.Errorf("text lacks %q:\n%s", want, text)
		}
	}
}

// The text says which rows use other algorithms.
func TestLowLatencyIsSaid(t *testing.T) {
	latency := 1.0
	for _, test := range []struct {
		device string
		batch  int
		want   bool
	}{{"cpu", 1, true}, {"cpu", 2, false}, {"cuda", 1, false}} {
		r := &bench.Report{Rows: []bench.Row{{Device: test.device, BatchSize: test.batch, LatencyMSMedian: &latency}}}
		if r.Rows[0].LowLatency() != test.want || strings.Contains(about(r), "a batch of 1 uses") != test.want {
			t.Errorf("%s, batch %d: %s", test.device, test.batch, about(r))
		}
	}
}

// Different variants get different names for benchstat.
func TestBenchstatNamesDiffer(t *testing.T) {
	r := &bench.Report{}
	for _, name := range []string{"a/c-1.py", "a/c_1.py", "A/c_1.py"} {
		r.Rows = append(r.Rows, bench.Row{Variant: name, LatencyMSRounds: []float64{1}})
	}
	text := render(t, r, "benchstat")
	for _, want := range []string{"BenchmarkA_c_1.py/", "BenchmarkA_c_1.py_2/", "BenchmarkA_c_1.py_3/"} {
		if !strings.Contains(text, want) {
			t.Errorf("benchstat lacks %q:\n%s", want, text)
		}
	}
}

// The page must not load anything from other hosts, and its text must be escaped.
func TestHTMLStandsAlone(t *testing.T) {
	page := render(t, zooReport(t), "html")
	for _, space := range []string{"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"} {
		page = strings.ReplaceAll(page, space, "")
	}
	for _, bad := range []string{"http:", "https:", "src=", "@import", "url(", "<script", "<link rel=\"stylesheet", "<8>", "#1F2933", "<?xml"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	// One picture of accuracy against speed, four of layers.
	if n := strings.Count(page, "<svg"); n != 5 {
		t.Errorf("%d pictures, want 5", n)
	}
	if n := strings.Count(page, "<table"); n != 5 {
		t.Errorf("%d tables, want 5", n)
	}
	for _, want := range []string{"prefers-color-scheme: dark", "var(--deploy)", "var(--ink)", "were not measured here"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// Pictures are well-formed and name all variants. REPVGG_PICTURES names a folder to
// keep them in.
func TestPictures(t *testing.T) {
	dir := os.Getenv("REPVGG_PICTURES")
	if dir == "" {
		dir = t.TempDir()
	}
	r := zooReport(t)
	if err := WriteFile(filepath.Join(dir, "report.html"), r); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"layers", "speed"} {
		if name == "speed" {
			for i := range r.Rows {
				r.Rows[i].Layers = nil
			}
		}
		for _, ext := range []string{".png", ".svg"} {
			if err := WritePicture(filepath.Join(dir, name+ext), r); err != nil {
				t.Fatal(err)
			}
		}
		f, err := os.Open(filepath.Join(dir, name+".png"))
		if err != nil {
			t.Fatal(err)
		}
		size, err := png.DecodeConfig(f)
		f.Close()
		if err != nil || size.Width < 1000 {
			t.Errorf("%s: %+v, %v", name, size, err)
		}
		svg, err := os.ReadFile(filepath.Join(dir, name+".svg"))
		if err != nil {
			t.Fatal(err)
		}
		checkXML(t, svg)
		want := []string{"stage_4.0", "winograd F(2)", "A0, deploy form"}
		if name == "speed" {
			want = []string{">A0<", ">B3g4<", ">D2se<", "train form", "publisher"}
		}
		for _, text := range want {
			if !strings.Contains(string(svg), text) {
				t.Errorf("%s.svg lacks %q", name, text)
			}
		}
	}
}

func checkXML(t *testing.T, data []byte) {
	t.Helper()
	for d := xml.NewDecoder(bytes.NewReader(data)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func TestNothingToDraw(t *testing.T) {
	r := &bench.Report{Rows: []bench.Row{{Variant: "mine"}}}
	if err := WritePicture(filepath.Join(t.TempDir(), "a.png"), r); err == nil || !strings.Contains(err.Error(), "no row has a published accuracy") {
		t.Error(err)
	}
	if err := CheckPicture("a.jpg"); err == nil {
		t.Error("a .jpg is taken")
	}
	if _, err := FormatOf("a.xls"); err == nil {
		t.Error("an .xls is taken")
	}
}

func TestReadRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.json")
	for _, bad := range []string{"{", `{"rows": 3}`, `{"rows": [{"latency_ms_median": 0}]}`} {
		if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(t.Context(), path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
