package tensor

import "math"

// Finite reports whether no value is infinite or NaN. It takes about one cycle per
// value, because every value that is read goes through it.
func Finite(values []float32) bool {
	const largest = 0x7f7fffff // bits of the largest finite magnitude
	var beyond [4]int32        // negative if a magnitude was larger
	for len(values) >= 4 {
		for i := range beyond {
			beyond[i] |= largest - int32(math.Float32bits(values[i])&0x7fffffff)
		}
		values = values[4:]
	}
	for _, v := range values {
		beyond[0] |= largest - int32(math.Float32bits(v)&0x7fffffff)
	}
	return beyond[0]|beyond[1]|beyond[2]|beyond[3] >= 0
}
