package metrics

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

// classCounts has the counts of each class for precision, recall and F1: the right
// predictions above a threshold, all predictions above it, and the images.
type classCounts struct{ right, predicted, images []float64 }

// precision returns the precision in percent. It is 0 for a class that is never
// predicted.
func (c *classCounts) precision(class int) float64 {
	return c.right[class] / max(c.predicted[class], 1) * 100
}

// recall returns the recall in percent. It is 0 for a class without images.
func (c *classCounts) recall(class int) float64 {
	return c.right[class] / max(c.images[class], 1) * 100
}

// epsilon is that of float32. It keeps F1 from dividing by zero.
const epsilon = 1.0 / (1 << 23)

// f1 returns the harmonic mean of precision and recall.
func (c *classCounts) f1(class int) float64 {
	p, r := c.precision(class), c.recall(class)
	return 2 * p * r / max(p+r, epsilon)
}

// classwise adds a per-class metric at each threshold: one value per class, or
// their mean. In the mean, a class without images counts as zero.
func (e *evaluation) classwise(key string, value func(c *classCounts, class int) float64) {
	if e.byThreshold == nil {
		e.count()
	}
	for t, thr := range e.opts.Thresholds {
		values := make([]float64, e.classes)
		for class := range values {
			values[class] = value(&e.byThreshold[t], class)
		}
		v := Value{Key: e.thresholdKey(key, thr)}
		if e.opts.PerClass {
			v.PerClass = values
		} else {
			v.Scalar = mean(values)
		}
		e.add(v)
	}
}

// count counts the predictions at each threshold.
func (e *evaluation) count() {
	predicted := make([]int, len(e.labels))
	for i := range predicted {
		predicted[i] = ArgMax(e.row(i))
	}
	for _, thr := range e.opts.Thresholds {
		c := classCounts{make([]float64, e.classes), make([]float64, e.classes), make([]float64, e.classes)}
		for i, label := range e.labels {
			c.images[label]++
			if p := predicted[i]; !(e.row(i)[p] <= float32(thr)) { // NaN counts, as in the original
				c.predicted[p]++
				if p == label {
					c.right[p]++
				}
			}
		}
		e.byThreshold = append(e.byThreshold, c)
	}
}

func mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}
