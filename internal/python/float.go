package python

import (
	"bytes"
	"math"
	"math/big"
	"strconv"
)

// Float is repr(v): the fewest digits that represent v exactly, with an exponent
// below 1e-4 and from 1e16 on, or nan, inf or -inf.
func Float(v float64) string { return string(AppendFloat(nil, v)) }

// AppendFloat appends repr(v).
func AppendFloat(b []byte, v float64) []byte {
	a := math.Abs(v)
	switch {
	case math.IsNaN(v):
		return append(b, "nan"...)
	case math.IsInf(v, 1):
		return append(b, "inf"...)
	case math.IsInf(v, -1):
		return append(b, "-inf"...)
	case a != 0 && a < 1e-4 || a >= 1e16:
		return strconv.AppendFloat(b, v, 'e', -1, 64)
	}
	start := len(b)
	b = strconv.AppendFloat(b, v, 'f', -1, 64)
	if bytes.IndexByte(b[start:], '.') < 0 {
		b = append(b, ".0"...)
	}
	return b
}

// Round is round(v, digits). It rounds the exact binary value, half to even.
func Round(v float64, digits int) float64 {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0) || digits > 323:
		return v
	case digits < -308:
		return math.Copysign(0, v)
	case digits < 0:
		return roundTo(v, digits)
	}
	// Parsing the output of FormatFloat can't fail.
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'f', digits, 64), 64)
	return rounded
}

// roundTo rounds to tens, hundreds and so on.
func roundTo(v float64, digits int) float64 {
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(-digits)), nil)
	exact := new(big.Rat).SetFloat64(math.Abs(v))
	units, rest := new(big.Int).DivMod(exact.Num(), unit.Mul(unit, exact.Denom()), new(big.Int))
	if half := rest.Lsh(rest, 1).Cmp(unit); half > 0 || half == 0 && units.Bit(0) == 1 {
		units.Add(units, big.NewInt(1))
	}
	rounded, _ := new(big.Rat).SetFrac(units.Mul(units, unit), exact.Denom()).Float64()
	return math.Copysign(rounded, v)
}

// Rounded is str(round(v, digits)): 72.41, 90.5, 100.0.
func Rounded(v float64, digits int) string { return Float(Round(v, digits)) }
