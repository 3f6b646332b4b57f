package metrics

import "math"

// Softmax writes exp(logits) / sum(exp(logits)) to dst, which may be logits itself.
// As in PyTorch, the largest logit is subtracted first, and each exponential is a
// float32, so that small ones become exactly 0. The sum is more precise than
// PyTorch's. A NaN or +Inf among the logits makes all results NaN.
func Softmax(dst, logits []float32) {
	if len(logits) == 0 {
		return
	}
	largest := logits[ArgMax(logits)]
	sum := 0.0
	for i, v := range logits {
		dst[i] = float32(math.Exp(float64(v - largest)))
		sum += float64(dst[i])
	}
	for i, v := range dst[:len(logits)] {
		dst[i] = v / float32(sum)
	}
}
