package tensor

// Finite reports whether no value is infinite or NaN. It takes less than one cycle per
// value, because every value that is read goes through it.
func Finite(values []float32) bool {
	// A finite value times 0 is 0. Other values give NaN, and so does every sum with
	// NaN. There are four sums so that additions need not wait for one another.
	var a, b, c, d float32
	for ; len(values) >= 8; values = values[8:] {
		v := (*[8]float32)(values)
		a, b, c, d = a+v[0]*0, b+v[1]*0, c+v[2]*0, d+v[3]*0
		a, b, c, d = a+v[4]*0, b+v[5]*0, c+v[6]*0, d+v[7]*0
	}
	for _, v := range values {
		a += v * 0
	}
	return a+b+c+d == 0
}
