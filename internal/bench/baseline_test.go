package bench

import (
	"slices"
	"strings"
	"testing"
)

func TestBaseline(t *testing.T) {
	row := func(median, spread float64) *Row {
		return &Row{LatencyMSMedian: &median, SpreadShare: &spread, Runs: leastRuns}
	}
	for _, test := range []struct {
		now, old    float64
		spread      float64
		want        string
		share, nois float64
	}{
		{100, 102, 0, "same", -2.0 / 102, 0.03},
		{96, 100, 0, "faster", -0.04, 0.03},
		{104, 100, 0.02, "slower", 0.04, 0.03},
		{108, 100, 0.2, "same", 0.08, 0.2},
		{130, 100, 0.2, "slower", 0.3, 0.2},
	} {
		c := change(row(test.now, test.spread), row(test.old, test.spread))
		if c.Verdict != test.want || c.NoiseShare != test.nois || c.ChangeShare-test.share > 1e-12 || test.share-c.ChangeShare > 1e-12 {
			t.Errorf("%v after %v: %+v", test.now, test.old, c)
		}
	}
	few := row(200, 0)
	few.Runs--
	if c := change(few, row(100, 0)); c.Verdict != TooFew {
		t.Errorf("%d runs: %+v", few.Runs, c)
	}
}

// A row is compared with the row of the same config, or else with the row of the
// same name if that name is unique.
func TestCompareFindsTheNetwork(t *testing.T) {
	row := func(config, variant string, latency, params float64) Row {
		return Row{Config: config, Variant: variant, Form: "deploy", LatencyMSMedian: &latency, ParamsMillions: params, Kernels: "avx2", Weights: "seeded random"}
	}
	const none = 0 // no such latency
	both := []Row{row("c1.py", "c1", 10, 1), row("d/c1.py", "c1", 20, 1)}
	for _, test := range []struct {
		name        string
		now, before []Row
		want        []float64
	}{
		{"two of a name", both, []Row{both[1], both[0]}, []float64{10, 20}},
		{"one of two before", both, both[:1], []float64{10, none}},
		{"one of two now", both[1:], both, []float64{20}},
		{"neither config, two before", []Row{row("e/c1.py", "c1", 1, 1)}, both, []float64{none}},
		{"another path", []Row{row("./c1.py", "c1", 1, 1)}, both[:1], []float64{10}},
		{"another path, another network", []Row{row("./c1.py", "c1", 1, 2)}, both[:1], []float64{none}},
		{"edited since", []Row{row("c1.py", "c1", 1, 2)}, both[:1], []float64{none}},
	} {
		now := &Report{Rows: slices.Clone(test.now)}
		notes := now.Compare(&Report{Rows: test.before})
		unmatched := true
		for i, want := range test.want {
			got := 0.0
			if b := now.Rows[i].Baseline; b != nil {
				got, unmatched = b.LatencyMSMedian, false
			}
			if got != want {
				t.Errorf("%s: row %d is compared with %v, want %v", test.name, i, got, want)
			}
		}
		if unmatched != strings.Contains(strings.Join(notes, ""), "no row of the same network") {
			t.Errorf("%s: notes %q", test.name, notes)
		}
	}
	before := &Report{Machine: Machine{CPU: "old"}, Rows: slices.Clone(both)}
	for i := range before.Rows {
		before.Rows[i].Kernels, before.Rows[i].Weights = "avx512", "checkpoint a.pth"
	}
	want := []string{
		"it was measured on another machine: old",
		"it was measured with other kernels: avx512, now avx2",
		"it was measured with other weights: checkpoint a.pth, now seeded random",
	}
	if got := (&Report{Machine: Machine{CPU: "new"}, Rows: slices.Clone(both)}).Compare(before); !slices.Equal(got, want) {
		t.Errorf("notes %q", got)
	}
}
