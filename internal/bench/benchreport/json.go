package benchreport

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"repvgg/internal/bench"
	"repvgg/internal/infile"
	"repvgg/internal/table"
)

// writeJSON writes the whole report; docs/bench.schema.json describes it.
func writeJSON(w io.Writer, r *bench.Report) error { return table.WriteJSON(w, r) }

// maxReport bounds a report's file. That of the zoo with all layers has a megabyte.
const maxReport = 64 << 20

// Read reads a report that was written as JSON.
func Read(ctx context.Context, path string) (*bench.Report, error) {
	data, err := infile.Read(ctx, path, nil, maxReport)
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
