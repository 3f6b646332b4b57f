package dataset

import (
	"fmt"
	"math"
	"path"
	"strconv"
	"strings"
)

// ChanceWarning returns a warning if a top-1 accuracy is no better than guessing,
// with the likely cause. It returns "" if the accuracy is better, or if there are
// too few images to decide. correct is the number of images whose best class is
// their label.
//
// With c = 1/classes, an accuracy is at chance if it is at most min(2c, c + 10 %),
// and if a working network, with an accuracy of min(20c, c + 25 %), would get so
// few images right with a probability below 1/1000.
func (d *Dataset) ChanceWarning(correct, images, classes int) string {
	if images < 1 || classes < 2 || correct < 0 || correct > images {
		return ""
	}
	chance := 1 / float64(classes)
	atChance := min(2*chance, chance+0.1)
	working := min(20*chance, chance+0.25)
	const rare = 1e-3
	if float64(correct) > atChance*float64(images) || binomialCDF(correct, images, working) >= rare {
		return ""
	}
	return fmt.Sprintf("the accuracy of %.3g %% is no better than guessing among %d classes (%.3g %%): %s",
		100*float64(correct)/float64(images), classes, 100*chance, d.chanceCause(classes))
}

// chanceCause names what can make a working network seem to guess. A checkpoint
// that does not fit the config is not a cause, because it is refused.
func (d *Dataset) chanceCause(classes int) string {
	const pipeline = "; if the labels are right, the pipeline (Normalize, to_rgb) or the checkpoint is for another data set"
	switch {
	case len(d.Samples) > 0 && d.Samples[0].Array != nil:
		return "the labels come with the images, so the pipeline (Normalize, to_rgb) or the checkpoint is probably for another data set"
	case d.AnnFile != "" && classes == len(wnidList()):
		return fmt.Sprintf("the labels in ann_file %q are probably in another order than the network's classes, such as that of the ids in ILSVRC's devkit; %s%s", d.AnnFile, rightList, pipeline)
	case d.AnnFile != "":
		return fmt.Sprintf("the labels in ann_file %q are probably in another order than in training%s", d.AnnFile, pipeline)
	}
	if len(d.empty) > 0 {
		return fmt.Sprintf("all folders of data_prefix are classes in the order of their names, also those without images: %s; remove those that are none, for each shifts the labels behind it%s", someOf(d.empty), pipeline)
	}
	if a, b, ok := d.textOrder(); ok {
		return fmt.Sprintf("the folders are the classes, in alphabetical order, where %s comes before %s: if training used another order, rename them (001, 002, ...) or set ann_file%s", a, b, pipeline)
	}
	return "the folders, sorted by name, are the classes: their names or their number probably differ from training (ImageNet's folders are named by WordNet ids, such as n01440764)" + pipeline
}

// textOrder finds two folders whose names are numbers and whose alphabetical order
// is not the numerical one.
func (d *Dataset) textOrder() (larger, smaller string, ok bool) {
	last, lastName := -1, ""
	for _, s := range d.Samples {
		name, _, _ := strings.Cut(path.Clean(s.Name), "/")
		if name == lastName {
			continue
		}
		n, err := strconv.Atoi(name)
		if err != nil {
			return "", "", false
		}
		if n < last {
			return lastName, name, true
		}
		last, lastName = n, name
	}
	return "", "", false
}

// binomialCDF returns the probability of at most k successes in n trials with the
// success probability p, 0 < p < 1.
func binomialCDF(k, n int, p float64) float64 {
	switch {
	case k < 0:
		return 0
	case k >= n:
		return 1
	case float64(k) > float64(n)*p:
		return 1 - binomialCDF(n-k-1, n, 1-p)
	}
	lgamma := func(v int) float64 { g, _ := math.Lgamma(float64(v)); return g }
	term := math.Exp(lgamma(n+1) - lgamma(k+1) - lgamma(n-k+1) +
		float64(k)*math.Log(p) + float64(n-k)*math.Log1p(-p))
	// Below the mean, the terms fall towards 0: sum them until they vanish.
	sum := 0.0
	for i := k; i >= 0 && sum+term != sum; i-- {
		sum += term
		term *= float64(i) / float64(n-i+1) * (1 - p) / p
	}
	return sum
}
