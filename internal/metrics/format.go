package metrics

import (
	"math"
	"strconv"
	"strings"
)

// Format is the value as the original prints it: rounded to two digits and
// written as Python writes a float (72.41, 90.5, 100.0), in brackets if there
// is one for each class.
func Format(v Value) string {
	switch {
	case v.Counts != nil:
		return list(v.Counts, func(n int64) string { return strconv.FormatInt(n, 10) })
	case v.PerClass != nil:
		return list(v.PerClass, rounded)
	}
	return rounded(v.Scalar)
}

// rounded is repr(round(x, 2)). Both steps round half to even on the exact
// decimal value, as Python does.
func rounded(x float64) string {
	if math.IsNaN(x) {
		return "nan"
	}
	// Two digits, less a trailing zero: "72.41", "90.5", "100.0".
	return strings.TrimSuffix(strconv.FormatFloat(x, 'f', 2, 64), "0")
}

func list[T any](values []T, format func(T) string) string {
	parts := make([]string, len(values))
	for i, v := range values {
		parts[i] = format(v)
	}
	return "[" + strings.Join(parts, ", ") + "]"
}
