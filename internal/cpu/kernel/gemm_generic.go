package kernel

// mr output channels times nr output pixels are kept in registers: as many
// running sums as the compiler holds without spilling, and enough to hide the
// latency of an addition.
const (
	mr = 3
	nr = 2
)

// microKernel adds the product of a panel of weights and a panel of patches to
// acc, row by row:
//
//	for k := range weights {
//		for i := range mr {
//			for j := range nr {
//				acc[i][j] += weights[k][i] * patches[k][j]
//			}
//		}
//	}
//
// patches has at least as many rows as weights.
func microKernel(acc *[mr][nr]float32, weights [][mr]float32, patches [][nr]float32) {
	patches = patches[:len(weights)]
	c00, c01 := acc[0][0], acc[0][1]
	c10, c11 := acc[1][0], acc[1][1]
	c20, c21 := acc[2][0], acc[2][1]
	for k := range weights {
		w, x := &weights[k], &patches[k]
		x0, x1 := x[0], x[1]
		w0 := w[0]
		c00 += w0 * x0
		c01 += w0 * x1
		w1 := w[1]
		c10 += w1 * x0
		c11 += w1 * x1
		w2 := w[2]
		c20 += w2 * x0
		c21 += w2 * x1
	}
	acc[0] = [nr]float32{c00, c01}
	acc[1] = [nr]float32{c10, c11}
	acc[2] = [nr]float32{c20, c21}
}
