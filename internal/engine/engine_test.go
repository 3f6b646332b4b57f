package engine

import (
	"strings"
	"testing"

	"repvgg/internal/model"
	"repvgg/internal/testkit"
)

func TestRunArguments(t *testing.T) {
	p := testkit.Plans(model.Deploy)["plain"]
	for _, c := range []struct {
		results, have, n, h, w int
		want                   string
	}{
		{140, 2 * 3 * 5 * 6, 2, 5, 6, ""}, {0, 0, 0, 5, 6, ""}, {140, 179, 2, 5, 6, "not 2 images"}, {139, 180, 2, 5, 6, "want room for 2 x 70"},
		{70, 90, -1, 5, 6, "at least 1x1"}, {70, 0, 1, 0, 6, "at least 1x1"}, {70, 0, 1 << 32, 1 << 31, 1 << 31, "not 4294967296 images"},
	} {
		err := CheckRun(p, c.results, c.have, c.n, c.h, c.w)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: got %v", c, err)
		}
	}
}

func TestPrecisionNames(t *testing.T) {
	all := []Precision{FP32, TF32, BF16, FP16, Auto}
	for _, name := range PrecisionNames(all) {
		if p, err := ParsePrecision(name, all); err != nil || p.String() != name {
			t.Errorf("%q became %v, %v", name, p, err)
		}
	}
	if _, err := ParsePrecision("fp16", all[:1]); err == nil || err.Error() != `unknown precision "fp16"; want fp32` {
		t.Errorf("got %v", err)
	}
}
