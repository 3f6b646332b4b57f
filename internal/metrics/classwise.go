package metrics

import "slices"

// support counts the images of each class.
func (e *evaluation) support() {
	counts := make([]int64, e.classes)
	for _, label := range e.labels {
		counts[label]++
	}
	if e.opts.PerClass {
		e.add(Value{Key: Support, Counts: counts})
		return
	}
	e.add(Value{Key: Support, Scalar: float64(len(e.labels))})
}

// epsilon is that of float32. It keeps F1 from dividing by zero.
const epsilon = 1.0 / (1 << 23)

// precisionRecallF1 computes for each class, in percent,
//
//	precision = right / max(predicted, 1)
//	recall    = right / max(images, 1)
//	f1        = 2 precision recall / max(precision + recall, epsilon)
//
// from the predictions above the threshold, and their means over all classes. A
// class without images counts as zero.
func (e *evaluation) precisionRecallF1(names []string) {
	predicted := make([]int, len(e.labels))
	for i := range predicted {
		predicted[i] = ArgMax(e.row(i))
	}
	keys := []string{Precision, Recall, F1Score}
	results := make([][][]float64, len(keys)) // key, threshold, class
	for _, thr := range e.opts.Thresholds {
		for k, perClass := range e.atThreshold(predicted, float32(thr)) {
			results[k] = append(results[k], perClass)
		}
	}
	for k, key := range keys {
		if !slices.Contains(names, key) {
			continue
		}
		for t, thr := range e.opts.Thresholds {
			v := Value{Key: e.thresholdKey(key, thr)}
			if e.opts.PerClass {
				v.PerClass = results[k][t]
			} else {
				v.Scalar = mean(results[k][t])
			}
			e.add(v)
		}
	}
}

// atThreshold returns precision, recall and F1 of each class.
func (e *evaluation) atThreshold(predicted []int, thr float32) [3][]float64 {
	right, positive, images := make([]float64, e.classes), make([]float64, e.classes), make([]float64, e.classes)
	for i, label := range e.labels {
		images[label]++
		if p := predicted[i]; !(e.row(i)[p] <= thr) { // NaN counts, as in the original
			positive[p]++
			if p == label {
				right[p]++
			}
		}
	}
	var precision, recall, f1 = make([]float64, e.classes), make([]float64, e.classes), make([]float64, e.classes)
	for c := range e.classes {
		precision[c] = right[c] / max(positive[c], 1) * 100
		recall[c] = right[c] / max(images[c], 1) * 100
		f1[c] = 2 * precision[c] * recall[c] / max(precision[c]+recall[c], epsilon)
	}
	return [3][]float64{precision, recall, f1}
}

func mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}
