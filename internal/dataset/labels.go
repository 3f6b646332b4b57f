package dataset

import (
	_ "embed"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// imagenetWNIDs has the WordNet ids of the ImageNet-1k classes, one per line, in
// ascending order, which is the order of the labels.
//
//go:embed imagenet_wnids.txt
var imagenetWNIDs string

// LabelWarnings looks for labels that do not fit a network with this number of
// classes, or are in another order than its classes. Each warning is one line with
// an example and the likely cause. The absence of warnings does not prove that the
// labels are right.
func (d *Dataset) LabelWarnings(classes int) []string {
	var warnings []string
	for _, w := range []string{d.countWarning(classes), d.rangeWarning(classes), d.orderWarning(classes)} {
		if w != "" {
			warnings = append(warnings, w)
		}
	}
	return warnings
}

// countWarning compares the number of classes of the data set with the network's.
func (d *Dataset) countWarning(classes int) string {
	if d.Classes == nil || len(d.Classes) == classes {
		return ""
	}
	return fmt.Sprintf("the data set has %d classes, but the network has %d: the two do not belong together, or the config has the wrong classes or the wrong number of them",
		len(d.Classes), classes)
}

// rangeWarning counts the labels outside the range of classes.
func (d *Dataset) rangeWarning(classes int) string {
	outside, first := 0, 0
	smallest, largest := int(^uint(0)>>1), -int(^uint(0)>>1)
	for i, s := range d.Samples {
		smallest, largest = min(smallest, s.Label), max(largest, s.Label)
		if s.Label < 0 || s.Label >= classes {
			if outside++; outside == 1 {
				first = i
			}
		}
	}
	if outside == 0 {
		return ""
	}
	w := fmt.Sprintf("%d of %d labels are not in 0..%d, the range of the %d classes (the first is %q with label %d): such images always count as wrong",
		outside, len(d.Samples), classes-1, classes, d.Samples[first].Name, d.Samples[first].Label)
	switch {
	case smallest == 1 && largest == classes && classes == len(wnidList()):
		w += "; the labels start at 1 but must start at 0; if they are the ids of ILSVRC's devkit, their order is wrong too: " + rightList
	case smallest == 1 && largest == classes:
		w += "; the labels seem to start at 1 but must start at 0"
	case smallest == 0 && largest == classes:
		w += "; there is one class too many: is 0 a background class?"
	}
	return w
}

const rightList = "use the val.txt of Caffe (caffe_ilsvrc12.tar.gz), whose labels are ranks by WordNet id"

// The labels of the first images of ILSVRC2012's validation set: their ids in the
// devkit (ILSVRC2012_validation_ground_truth.txt), and their ranks by WordNet id.
var (
	firstDevkit = [...]int{490, 361, 171, 822, 297, 482, 13, 704, 599, 164}
	firstRanks  = [...]int{65, 970, 230, 809, 516, 57, 334, 415, 674, 332}
)

// contradictions collects images whose path shows their class.
type contradictions struct {
	known, wrong int
	first        string // description of the first contradiction
	// Whether all known labels so far fit a certain mistake.
	offByOne, devkit, devkitLess bool
	val                          bool // some are validation images of ILSVRC2012
}

// add records the label of an image whose class is rank. devkit is the class's id
// in ILSVRC's devkit, or 0 if unknown.
func (c *contradictions) add(s Sample, rank, devkit int, evidence string) {
	if c.known == 0 {
		c.offByOne, c.devkit, c.devkitLess = true, true, true
	}
	c.known++
	c.offByOne = c.offByOne && s.Label == rank+1
	c.devkit = c.devkit && devkit > 0 && s.Label == devkit
	c.devkitLess = c.devkitLess && devkit > 0 && s.Label == devkit-1
	if s.Label == rank {
		return
	}
	if c.wrong++; c.wrong == 1 {
		c.first = fmt.Sprintf("%s is labelled %d, but %s class %d", s.Name, s.Label, evidence, rank)
	}
}

// orderWarning compares the labels of ImageNet-1k with what the paths show: WordNet
// ids, and the names of ILSVRC2012's validation images.
func (d *Dataset) orderWarning(classes int) string {
	list := wnidList()
	if classes != len(list) {
		return ""
	}
	ranks := make(map[string]int, len(list))
	for rank, id := range list {
		ranks[id] = rank
	}
	var c contradictions
	for _, s := range d.Samples {
		if id, folder := findWNID(s.Name); id != "" {
			rank, ok := ranks[id]
			if !ok {
				return "" // another selection of classes, with its own ranks
			}
			evidence := "its name is of " + id + ","
			if folder {
				evidence = "its folder is"
			}
			c.add(s, rank, 0, evidence)
		} else if number := validationNumber(s.Name); number > 0 {
			c.val = true
			c.add(s, firstRanks[number-1], firstDevkit[number-1], "is of")
		}
	}
	if c.wrong == 0 {
		return ""
	}
	w := c.first
	switch {
	case c.devkit:
		return w + ": the labels are the ids of ILSVRC's devkit; " + rightList
	case c.devkitLess:
		return w + ": the labels are the ids of ILSVRC's devkit less 1; " + rightList
	case c.offByOne:
		return w + ": the labels start at 1 but must start at 0"
	case c.val:
		return w + ": " + rightList
	}
	return fmt.Sprintf("%s (%d of %d such labels are wrong): a label must be the rank of the WordNet id, as in the val.txt of Caffe; the ids of ILSVRC's devkit are in another order",
		w, c.wrong, c.known)
}

func wnidList() []string { return strings.Fields(imagenetWNIDs) }

var wnid = regexp.MustCompile(`^n[0-9]{8}(?:[._-]|$)`)

// findWNID finds a WordNet id that is the name of a folder in the path or, failing
// that, the start of the file's name.
func findWNID(name string) (id string, folder bool) {
	const length = 9
	dir, file := path.Split(name)
	folders := strings.Split(strings.Trim(dir, "/"), "/")
	for _, folder := range slices.Backward(folders) {
		if wnid.MatchString(folder) {
			return folder[:length], true
		}
	}
	if wnid.MatchString(file) {
		return file[:length], false
	}
	return "", false
}

// validationNumber returns the number in the name of one of the first images of
// ILSVRC2012's validation set, or 0 for any other name.
func validationNumber(name string) int {
	digits, ok := strings.CutPrefix(path.Base(name), "ILSVRC2012_val_")
	if !ok {
		return 0
	}
	digits, _, _ = strings.Cut(digits, ".")
	n, err := strconv.Atoi(digits)
	if err != nil || len(digits) != 8 || n < 1 || n > len(firstRanks) {
		return 0
	}
	return n
}
