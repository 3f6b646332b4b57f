package zoo

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"repvgg/internal/model/repvgg"
	"strings"
	"testing"
)

// TestZooMachineReadable reads JSON and CSV back, and checks that both have the
// same cells.
func TestZooMachineReadable(t *testing.T) {
	var text bytes.Buffer
	if err := Write(&text, "csv", repvgg.Zoo()); err != nil {
		t.Fatal(err)
	}
	records, err := csv.NewReader(&text).ReadAll()
	if err != nil || len(records) != 13 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	text.Reset()
	if err := Write(&text, "json", repvgg.Zoo()); err != nil {
		t.Fatal(err)
	}
	var all struct {
		Source, Note string
		Models       []map[string]any
	}
	d := json.NewDecoder(&text)
	d.UseNumber()
	if err := d.Decode(&all); err != nil || len(all.Models) != 12 {
		t.Fatalf("%d models, %v", len(all.Models), err)
	}
	if !strings.Contains(all.Note, "the publisher's figures") {
		t.Errorf("note %q", all.Note)
	}
	for i, m := range all.Models {
		if len(m) != len(records[0]) {
			t.Errorf("%d fields, want %d", len(m), len(records[0]))
		}
		for j, column := range records[0] {
			var got string
			switch v := m[column].(type) {
			case string:
				got = v
			case json.Number:
				got = v.String()
			}
			if got != records[i+1][j] {
				t.Errorf("model %d: %s is %q in JSON, %q in CSV", i, column, got, records[i+1][j])
			}
		}
	}
}
