package table

import (
	"encoding/csv"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sample returns a table with each kind of cell.
func sample() *Table {
	t := &Table{Mark: "odd", Columns: []Column{
		{Name: "name", Most: 9}, {Name: "n", Unit: "MB", Align: Right}, {Name: "share", Align: Center}, {Name: "ok"}, {Name: "link", Align: Right},
	}}
	half := 0.5
	t.Add(Text("a|<b>*c*"), Int(1234), Optional(&half, Float), Bool(true), Markup("[x](y)"))
	t.Add(Text("Ü"), Int(int64(-5)), Optional(nil, Float), Bool(false), Cell{})
	t.Add(Text("network_wide_v1"), Number("5.70"), Fixed(2.0/3, 2), Cell{}, Text("tab\tand\x1b[1m"))
	t.Add(Text("network_deep_v1"), Decimal(1e21), Float(math.NaN()), Cell{}, Text(""))
	t.Rows[1].Marked = true
	return t
}

func rendered(t *testing.T, write func(*strings.Builder) error) string {
	t.Helper()
	var b strings.Builder
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func check(t *testing.T, got, want string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestWriteText(t *testing.T) {
	got := rendered(t, func(b *strings.Builder) error { return sample().WriteText(b, 1, 2) })
	check(t, got, ` name                            n  share  ok                  link
                                MB
 a|<b>*c*                     1234  0.5    true              [x](y)
 Ü                              -5  -      false                  - !
 netw…e_v1                    5.70  0.67   -      "tab\tand\x1b[1m"
 netw…p_v1  1000000000000000000000  NaN    -
`)
}

func TestTextWithoutHeads(t *testing.T) {
	table := &Table{Columns: make([]Column, 2)}
	table.Add(Text("file"), Text("a "))
	table.Add(Text("state dict"), Text("b"))
	check(t, rendered(t, func(b *strings.Builder) error { return table.WriteText(b, 0, 2) }), "file        a \nstate dict  b\n")
}

func TestWriteMarkdown(t *testing.T) {
	got := rendered(t, func(b *strings.Builder) error { return sample().WriteMarkdown(b) })
	check(t, got, `| name | n (MB) | share | ok | link |
|---|---:| :---: |---|---:|
| a\|&lt;b>\*c\* | 1234 | 0.5 | true | [x](y) |
| Ü (odd) | -5 | - | false | - |
| network_wide_v1 | 5.70 | 0.67 | - | tab`+"\tand\x1b"+`[1m |
| network_deep_v1 | 1000000000000000000000 | NaN | - |  |
`)
}

func TestWriteCSV(t *testing.T) {
	got := rendered(t, func(b *strings.Builder) error { return sample().WriteCSV(b) })
	records, err := csv.NewReader(strings.NewReader(got)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{
		{"name", "n", "share", "ok", "link"},
		{"a|<b>*c*", "1234", "0.5", "true", "[x](y)"}, {"Ü", "-5", "", "false", ""},
		{"network_wide_v1", "5.70", "0.67", "", "tab\tand\x1b[1m"}, {"network_deep_v1", "1000000000000000000000", "NaN", "", ""},
	}
	if diff := cmp.Diff(want, records); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestWriteJSON(t *testing.T) {
	short := sample()
	short.Columns = short.Columns[:3]
	for i := range short.Rows {
		short.Rows[i].Cells = short.Rows[i].Cells[:3]
	}
	got := rendered(t, func(b *strings.Builder) error {
		return WriteJSON(b, struct {
			Note string
			Rows *Table
			None *Table
		}{"a & b", short, &Table{}})
	})
	check(t, got, `{
  "Note": "a & b",
  "Rows": [
    {
      "name": "a|<b>*c*",
      "n": 1234,
      "share": 0.5
    },
    {
      "name": "Ü",
      "n": -5,
      "share": null
    },
    {
      "name": "network_wide_v1",
      "n": 5.70,
      "share": 0.67
    },
    {
      "name": "network_deep_v1",
      "n": 1000000000000000000000,
      "share": null
    }
  ],
  "None": []
}
`)
}

func TestNumbers(t *testing.T) {
	for _, test := range []struct {
		cell Cell
		want string
	}{
		{Float(1e-7), "1e-07"}, {Float(0.1), "0.1"}, {Float32(0.1), "0.1"}, {Float32(1e-7), "1e-07"}, {Decimal(1e-7), "0.0000001"},
		{Decimal(float64(float32(0.1))), "0.10000000149011612"}, {Fixed(90.5, 2), "90.50"}, {Fixed(-0.125, 1), "-0.1"}, {Float(math.Inf(1)), "+Inf"},
	} {
		if got := test.cell.String(); got != test.want {
			t.Errorf("%s, want %s", got, test.want)
		}
	}
}

func TestWithoutEmpty(t *testing.T) {
	full := sample()
	for i := range full.Rows {
		full.Rows[i].Cells[3] = Cell{}
	}
	got := full.WithoutEmpty()
	if names := got.names(); !slices.Equal(names, []string{"name", "n", "share", "link"}) {
		t.Errorf("columns %q", names)
	}
	for i, r := range got.Rows {
		if len(r.Cells) != 4 || r.Cells[3] != full.Rows[i].Cells[4] || r.Marked != (i == 1) {
			t.Errorf("row %d is %v", i, r)
		}
	}
	if len(full.Columns) != 5 || len(full.Rows[0].Cells) != 5 {
		t.Error("the table itself has changed")
	}
}

func TestShorten(t *testing.T) {
	for _, test := range []struct{ texts, want []string }{
		{[]string{"network_wide_of_words", "network_deep_of_words"}, []string{"network_w…_of_words", "network_d…_of_words"}},
		{[]string{"repvgg-digits_deploy", "repvgg-digits", "repvgg-digits_deploy"}, []string{"repvgg-…s_deploy", "repvgg-digits", "repvgg-…s_deploy"}},
	} {
		if got := shorten(test.texts, 16); !slices.Equal(got, test.want) {
			t.Errorf("%q are shortened to %q, want %q", test.texts, got, test.want)
		}
	}
}

func TestPrintable(t *testing.T) {
	for s, want := range map[string]string{"cat, Ü 漢": "cat, Ü 漢", "a\nb": `"a\nb"`, "\x1b[1m": `"\x1b[1m"`, "\xff": `"\xff"`, "": "", "\u202e": `"\u202e"`} {
		if got := Printable(s); got != want {
			t.Errorf("%q is printed as %s, want %s", s, got, want)
		}
	}
}

// failing is a writer that always fails.
type failing struct{}

var errFailing = errors.New("full")

func (failing) Write([]byte) (int, error) { return 0, errFailing }

func TestErrorsOfWriting(t *testing.T) {
	s := sample()
	for name, err := range map[string]error{
		"text": s.WriteText(failing{}, 0, 2), "CSV": s.WriteCSV(failing{}), "Markdown": s.WriteMarkdown(failing{}), "JSON": WriteJSON(failing{}, s),
	} {
		if !errors.Is(err, errFailing) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
