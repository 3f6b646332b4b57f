package metrics

import (
	"strconv"
	"strings"

	"repvgg/internal/python"
)

// Format formats the value as the original prints it: rounded to two decimals, as
// Python formats a float (72.41, 90.5, 100.0), and in brackets if there is one per
// class.
func Format(v Value) string {
	switch {
	case v.Counts != nil:
		return list(v.Counts, func(n int64) string { return strconv.FormatInt(n, 10) })
	case v.PerClass != nil:
		return list(v.PerClass, rounded)
	}
	return rounded(v.Scalar)
}

// rounded returns Python's repr(round(x, 2)).
func rounded(x float64) string { return python.Rounded(x, 2) }

func list[T any](values []T, format func(T) string) string {
	parts := make([]string, len(values))
	for i, v := range values {
		parts[i] = format(v)
	}
	return "[" + strings.Join(parts, ", ") + "]"
}
