package tensor

import (
	"math"
	"testing"
)

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name  string
		view  View
		numel int
		ok    bool
	}{
		{"dense", View{Shape: []int{2, 3}, Strides: []int{3, 1}}, 6, true},
		{"one short", View{Shape: []int{2, 3}, Strides: []int{3, 1}}, 5, false},
		{"offset", View{Offset: 4, Shape: []int{2}, Strides: []int{1}}, 6, true},
		{"offset too far", View{Offset: 5, Shape: []int{2}, Strides: []int{1}}, 6, false},
		{"scalar", View{Offset: 5}, 6, true},
		{"scalar outside", View{Offset: 6}, 6, false},
		{"repeated", View{Shape: []int{1000}, Strides: []int{0}}, 1, true},
		{"empty anywhere", View{Offset: 9, Shape: []int{0, 4}, Strides: []int{4, 1}}, 0, true},
		{"negative offset", View{Offset: -1, Shape: []int{1}, Strides: []int{1}}, 6, false},
		{"negative size", View{Shape: []int{-1}, Strides: []int{1}}, 6, false},
		{"negative stride", View{Offset: 5, Shape: []int{2}, Strides: []int{-1}}, 6, false},
		{"ranks", View{Shape: []int{2, 3}, Strides: []int{1}}, 6, false},
		{"size overflows", View{Shape: []int{math.MaxInt/2 + 1, 4}, Strides: []int{0, 0}}, 6, false},
		{"reach overflows", View{Shape: []int{3}, Strides: []int{math.MaxInt/2 + 1}}, 6, false},
		{"offset overflows", View{Offset: math.MaxInt, Shape: []int{2}, Strides: []int{1}}, 6, false},
	} {
		if err := c.view.Check(c.numel); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestContiguousAndSpan(t *testing.T) {
	for _, c := range []struct {
		view       View
		contiguous bool
		span       int
	}{
		{View{Shape: []int{2, 3}, Strides: []int{3, 1}}, true, 6},
		{View{Shape: []int{2, 3}, Strides: []int{1, 2}}, false, 6},
		{View{Shape: []int{1, 3}, Strides: []int{99, 1}}, true, 3},
		{View{Shape: []int{2, 3}, Strides: []int{10, 1}}, false, 13},
		{View{Shape: []int{2, 0}, Strides: []int{0, 1}}, true, 0},
		{View{}, true, 1},
	} {
		if got := c.view.Contiguous(); got != c.contiguous {
			t.Errorf("%+v: contiguous %v", c.view, got)
		}
		if got := c.view.Span(); got != c.span {
			t.Errorf("%+v: span %d, want %d", c.view, got, c.span)
		}
	}
}

func TestRows(t *testing.T) {
	v := View{Offset: 7, Shape: []int{5, 3}, Strides: []int{4, 1}}
	got := v.Rows(2, 4)
	if got.Offset != 15 || got.Shape[0] != 2 || got.Shape[1] != 3 || v.Shape[0] != 5 {
		t.Errorf("rows 2 to 4 of %+v are %+v", v, got)
	}
}

func TestFormatShape(t *testing.T) {
	for want, shape := range map[string][]int{"()": nil, "(10,)": {10}, "(64, 3, 3, 3)": {64, 3, 3, 3}} {
		if got := FormatShape(shape); got != want {
			t.Errorf("%v is written %s, want %s", shape, got, want)
		}
	}
}
