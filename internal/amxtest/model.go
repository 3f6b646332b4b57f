package amxtest

import "math"

// Dot is what TDPBF16PS makes of an element of its first operand: sum plus the
// products of bfloat16 values, of a row of the second operand and a column of
// the third. It is exact to the bit, but for the payload of a NaN, on every
// machine: the arithmetic is that of float64.
func Dot(sum float32, a, b []uint16) float32 {
	var parts [2]float32
	for k := range a {
		parts[k%2] = fma(widen(a[k]), widen(b[k]), parts[k%2])
	}
	return fma(1, fma(1, parts[0], parts[1]), sum)
}

func widen(v uint16) float32 { return math.Float32frombits(uint32(v) << 16) }

const smallestNormal = 0x1p-126

// denormalZero is x, or zero with its sign if it is denormal.
func denormalZero(x float32) float64 {
	if v := float64(x); math.Abs(v) < smallestNormal {
		return math.Copysign(0, v)
	}
	return float64(x)
}

// fma is a*b + c rounded once, to nearest or even, with denormals zero.
func fma(a, b, c float32) float32 {
	product := denormalZero(a) * denormalZero(b) // exact: 48 bits
	addend := denormalZero(c)
	sum := product + addend
	if math.IsNaN(sum) || math.IsInf(sum, 0) {
		return float32(sum)
	}
	// Rounding to odd keeps what the second rounding needs to be the only one: the
	// lost part of the sum (Knuth's TwoSum) goes into the last bit.
	t := sum - product
	lost := (product - (sum - t)) + (addend - t)
	if lost != 0 && math.Float64bits(sum)&1 == 0 {
		toward := math.Inf(1)
		if lost < 0 {
			toward = math.Inf(-1)
		}
		sum = math.Nextafter(sum, toward)
	}
	// Whether a result is denormal is decided after rounding to 24 bits.
	if math.Abs(sum) < 2*smallestNormal && math.Abs(float64(float32(sum*0x1p64))) < smallestNormal*0x1p64 {
		return float32(math.Copysign(0, sum))
	}
	return float32(sum)
}
