package dataset

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"
)

// labelled returns a data set made from "name label" pairs.
func labelled(pairs ...string) *Dataset {
	d := &Dataset{Type: "ImageNet", AnnFile: "val.txt"}
	for _, p := range pairs {
		name, label, err := parseLine(p)
		if err != nil {
			panic(err)
		}
		d.Samples = append(d.Samples, Sample{Name: name, Label: label})
	}
	return d
}

func TestLabelWarnings(t *testing.T) {
	validation := func(labels [10]int, add int) (pairs []string) {
		for i, l := range labels {
			pairs = append(pairs, fmt.Sprintf("val/ILSVRC2012_val_%08d.JPEG %d", i+1, l+add))
		}
		return pairs
	}
	for _, c := range []struct {
		name    string
		pairs   []string
		classes int
		want    string // empty: no warning
	}{
		{"right folders", []string{"n01440764/a.JPEG 0", "train/n15075141/b.JPEG 999"}, 1000, ""},
		{"right names", []string{"n01440764_10026.JPEG 0", "n01443537_goldfish.jpg 1"}, 1000, ""},
		{"right validation", validation(firstRanks, 0), 1000, ""},
		{"no hints", []string{"a.png 999", "n1/x.png 3", "n014407641/x.png 4", "ILSVRC2012_val_00000011.JPEG 5", "ILSVRC2012_val_1.JPEG 5"}, 1000, ""},
		{"folder", []string{"n01443537/b.JPEG 1", "val/n01440764/x.JPEG 449"}, 1000, "val/n01440764/x.JPEG is labelled 449, but its folder is class 0 (1 of 2 such labels are wrong): a label must be the rank of the WordNet id"},
		{"innermost folder", []string{"n01440764/n01443537/x.JPEG 0"}, 1000, "its folder is class 1"},
		{"name", []string{"n01440764_10026.JPEG 449"}, 1000, "n01440764_10026.JPEG is labelled 449, but its name is of n01440764, class 0"},
		{"folders from 1", []string{"n01440764/a.JPEG 1", "n01443537/a.JPEG 2"}, 1000, "the labels start at 1 but must start at 0"},
		{"devkit", validation(firstDevkit, 0), 1000, "val/ILSVRC2012_val_00000001.JPEG is labelled 490, but is of class 65: the labels are the ids of ILSVRC's devkit; use the val.txt of Caffe"},
		{"devkit less 1", validation(firstDevkit, -1), 1000, "devkit less 1"},
		{"validation from 1", validation(firstRanks, 1), 1000, "the labels start at 1"},
		{"another order", validation([10]int{}, 3), 1000, "use the val.txt of Caffe"},
		// There is no rule for WordNet ids of other classes, or another number of classes.
		{"21k", []string{"n00000001/a.JPEG 7", "n01440764/a.JPEG 8"}, 1000, ""},
		{"subset", []string{"n01443537/a.JPEG 0"}, 100, ""},
		{"outside", []string{"a.png 3", "b.png -1", "c.png 12"}, 10, `2 of 3 labels are not in 0..9, the range of the 10 classes (the first is "b.png" with label -1): such images always count as wrong`},
		{"from 1", []string{"a.png 1", "b.png 2", "c.png 3"}, 3, "the labels seem to start at 1 but must start at 0"},
		{"from 1, ImageNet", []string{"a.png 1", "b.png 1000"}, 1000, "if they are the ids of ILSVRC's devkit, their order is wrong too"},
		{"background", []string{"a.png 0", "b.png 3"}, 3, "there is one class too many"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := labelled(c.pairs...).LabelWarnings(c.classes)
			if c.want == "" && len(got) > 0 || c.want != "" && (len(got) != 1 || !strings.Contains(got[0], c.want)) {
				t.Errorf("warnings %q, want %q", got, c.want)
			}
		})
	}
	d := labelled("a.png 0")
	d.Classes = []string{"x", "y"}
	if got := d.LabelWarnings(3); len(got) != 1 || !strings.Contains(got[0], "the data set has 2 classes, but the network has 3") {
		t.Errorf("warnings %q", got)
	}
}

func TestWNIDs(t *testing.T) {
	list := wnidList()
	if len(list) != 1000 || !slices.IsSorted(list) || list[0] != "n01440764" || list[999] != "n15075141" {
		t.Errorf("%d WordNet ids from %s to %s", len(list), list[0], list[len(list)-1])
	}
	for _, id := range list {
		if !wnid.MatchString(id) {
			t.Errorf("%q is no WordNet id", id)
		}
	}
}

func TestChanceWarning(t *testing.T) {
	ann := &Dataset{AnnFile: "val.txt"}
	files := &Dataset{Samples: []Sample{{Name: "1/a"}, {Name: "10/a"}, {Name: "10/b"}, {Name: "2/a"}}}
	named := &Dataset{Samples: []Sample{{Name: "1/a"}, {Name: "2/a"}, {Name: "10/a"}}}
	arrays := &Dataset{Samples: []Sample{{Name: "x[0]", Array: new(Array)}}}
	for _, c := range []struct {
		d                        *Dataset
		correct, images, classes int
		want                     string
	}{
		{ann, 50, 50000, 1000, `the accuracy of 0.1 % is no better than guessing among 1000 classes (0.1 %): the labels in ann_file "val.txt" are probably in another order than the network's classes, such as that of the ids in ILSVRC's devkit; use the val.txt of Caffe`},
		{ann, 0, 500, 1000, "guessing"},
		{ann, 100, 50000, 1000, "guessing"},
		{ann, 101, 50000, 1000, ""},
		{ann, 0, 100, 1000, ""}, // too few to decide
		{ann, 34, 100, 1000, ""},
		{ann, 20, 100, 10, "in another order than in training"},
		{ann, 21, 100, 10, ""},
		{ann, 1, 10, 10, ""},
		{ann, 55, 100, 2, "guessing among 2 classes"},
		{ann, 70, 100, 2, ""},
		{ann, 3, 100, 2, "guessing among 2 classes"}, // worse than guessing: swapped labels
		{files, 100, 1000, 10, "where 10 comes before 2"},
		{named, 100, 1000, 10, "the folders, sorted by name, are the classes"},
		{&Dataset{Samples: files.Samples, empty: []string{"0", "a", "b", "c", "d", "e"}}, 100, 1000, 10, "also those without images: 0, a, b, c, d and 1 more; remove"},
		{arrays, 100, 1000, 10, "the labels come with the images"},
		{ann, 0, 0, 10, ""}, {ann, 5, 4, 10, ""}, {ann, 1, 1, 1, ""},
	} {
		got := c.d.ChanceWarning(c.correct, c.images, c.classes)
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%d of %d, %d classes: %q, want %q", c.correct, c.images, c.classes, got, c.want)
		}
	}
}

// TestBinomial compares with sums of exact terms.
func TestBinomial(t *testing.T) {
	exact := func(k, n int, p float64) float64 {
		sum := new(big.Float).SetPrec(300)
		for i := range k + 1 {
			term := new(big.Float).SetPrec(300).SetInt(new(big.Int).Binomial(int64(n), int64(i)))
			for range i {
				term.Mul(term, big.NewFloat(p))
			}
			for range n - i {
				term.Mul(term, new(big.Float).Sub(big.NewFloat(1), big.NewFloat(p)))
			}
			sum.Add(sum, term)
		}
		f, _ := sum.Float64()
		return f
	}
	for _, n := range []int{1, 2, 10, 77, 400} {
		for _, p := range []float64{0.001, 0.02, 0.35, 0.75} {
			for _, k := range []int{0, 1, n / 5, n / 2, n - 1, n} {
				got, want := binomialCDF(k, n, p), exact(k, n, p)
				if math.Abs(got-want) > 1e-9*want {
					t.Errorf("P(X <= %d | %d, %g) = %g, want %g", k, n, p, got, want)
				}
			}
		}
	}
	if v := binomialCDF(100000, 10_000_000, 0.02); v != 0 {
		t.Errorf("a vanishing probability is %g", v)
	}
}
