package benchreport

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"repvgg/internal/bench"
	"repvgg/internal/table"
)

// writeJSON writes the whole report; docs/bench.schema.json describes it.
func writeJSON(w io.Writer, r *bench.Report) error { return table.WriteJSON(w, r) }

// Read reads a report that was written as JSON.
func Read(path string) (*bench.Report, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err // it names the file
	}
	var r bench.Report
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("report %q: %w", path, err)
	}
	for i := range r.Rows {
		if m := r.Rows[i].LatencyMSMedian; m != nil && !(*m > 0) {
			return nil, fmt.Errorf("report %q: row %d: latency_ms_median is %v", path, i, *m)
		}
	}
	return &r, nil
}
