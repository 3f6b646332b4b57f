package checkpoint

import (
	"fmt"
	"strings"

	"repvgg/internal/tensor"
)

// CheckValues reports values of a tensor that no network has: NaN, infinities,
// and variances below 0. values are those from element at on, in row-major order;
// name is the tensor's in Tensors. Whoever reads weights checks them with it.
func (c *File) CheckValues(name string, at int, values []float32) error {
	t := c.Tensors[name]
	variance := strings.HasSuffix(t.Name, "running_var")
	for i, v := range values {
		if v-v == 0 && !(variance && v < 0) {
			continue
		}
		what := "is not finite"
		if v-v == 0 {
			what = "is a variance below 0"
		}
		return fmt.Errorf("reading checkpoint %q: tensor %q: element %s is %v, which %s; the training run diverged, or the file is damaged",
			c.Path, t.Name, tensor.FormatShape(index(t.Shape, at+i)), v, what)
	}
	return nil
}

// index takes the number of an element in row-major order apart.
func index(shape []int, at int) []int {
	place := make([]int, len(shape))
	for i := len(shape) - 1; i >= 0; i-- {
		place[i] = at % max(shape[i], 1)
		at /= max(shape[i], 1)
	}
	return place
}
