package metrics

import (
	"fmt"
	"strconv"
)

// accuracy computes the share of images whose label is among the k highest scores
// and has a score above the threshold. The comparison is strict: with the threshold
// 0, a label in the top k whose score underflowed to 0 is wrong.
func (e *evaluation) accuracy() {
	ranks := make([]int, len(e.labels))
	for i, label := range e.labels {
		ranks[i] = rank(e.row(i), label)
	}
	for _, k := range e.opts.TopK {
		key, note := Accuracy, ""
		if !e.opts.TopKScalar {
			key += "_top-" + strconv.Itoa(k)
		}
		if k > e.classes {
			note = fmt.Sprintf("there are only %d classes", e.classes)
		}
		for _, thr := range e.opts.Thresholds {
			correct := 0
			for i, label := range e.labels {
				if ranks[i] < k && e.row(i)[label] > float32(thr) {
					correct++
				}
			}
			percent := float32(correct) * float32(100/float64(len(e.labels)))
			e.add(Value{Key: e.thresholdKey(key, thr), Scalar: float64(percent), Note: note})
		}
	}
}

// rank returns the number of classes before label when sorted by descending score,
// and by ascending class among equal scores. For a label outside the range of
// classes, it is larger than any k.
func rank(row []float32, label int) int {
	if label < 0 || label >= len(row) {
		return int(^uint(0) >> 1)
	}
	n := 0
	for class, score := range row {
		if higher(score, row[label]) || class < label && !higher(row[label], score) {
			n++
		}
	}
	return n
}

// higher orders scores. As in PyTorch and NumPy, NaN is higher than any number.
func higher(a, b float32) bool { return a > b || a != a && b == b }

// ArgMax returns the class with the highest score. Among equal scores, it is the
// lowest class. row must not be empty.
func ArgMax(row []float32) int {
	best := 0
	for class, score := range row {
		if higher(score, row[best]) {
			best = class
		}
	}
	return best
}
