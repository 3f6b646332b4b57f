package flops

import "testing"

func TestFormatCounts(t *testing.T) {
	for n, want := range map[int64]string{9108968: "9.11 M", 25500000: "25.5 M", 110000000: "110.0 M", 999999: "1000.0 k", 61234: "61.23 k", 999: "999"} {
		if got := formatParams(n); got != want {
			t.Errorf("%d parameters are %q, want %q", n, got, want)
		}
	}
	for n, want := range map[int64]string{1522063872: "1.52 GFLOPs", 5703117056: "5.7 GFLOPs", 4000000: "0.0 GFLOPs", 10000000000: "10.0 GFLOPs"} {
		if got := formatFLOPs(n); got != want {
			t.Errorf("%d FLOPs are %q, want %q", n, got, want)
		}
	}
}
