package dataset

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tree writes empty files, or the text after a colon, and returns their folder.
func tree(t *testing.T, names ...string) string {
	t.Helper()
	root := t.TempDir()
	for _, name := range names {
		name, text, _ := strings.Cut(name, ":")
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "/") {
			if err := os.MkdirAll(path, 0o700); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// custom is a CustomDataset in a folder.
func custom(root string) Source { return Source{Type: "CustomDataset", Prefix: root} }

func mustOpen(t *testing.T, s Source) *Dataset {
	t.Helper()
	d, err := Open(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// wantError wants an error about a field.
func wantError(t *testing.T, s Source, field, want string) {
	t.Helper()
	_, err := Open(s)
	var wrong *SourceError
	if !errors.As(err, &wrong) || wrong.Field != field || !strings.Contains(err.Error(), want) {
		t.Errorf("%+v\nerror %v (%+v)\nwant one about %s with %q", s, err, wrong, field, want)
	}
}

// names lists the samples as name=label.
func names(d *Dataset) []string {
	var list []string
	for _, s := range d.Samples {
		list = append(list, fmt.Sprintf("%s=%d", s.Name, s.Label))
	}
	return list
}

func TestDigits(t *testing.T) {
	t.Chdir("../../testdata/digits")
	d := mustOpen(t, Source{Type: "CustomDataset", Prefix: "data/digits/val", AnnFile: "data/digits/val.txt", Classes: strings.Split("0123456789", "")})
	if len(d.Samples) != 300 || len(d.Warnings) != 0 || d.Type != "CustomDataset" {
		t.Fatalf("%d samples, warnings %q, type %s", len(d.Samples), d.Warnings, d.Type)
	}
	want := Sample{Name: "2/0002.png", Path: "data/digits/val/2/0002.png", Label: 2}
	if diff := cmp.Diff(want, d.Samples[0]); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(strings.Split("0123456789", ""), d.Classes); diff != "" {
		t.Error(diff)
	}
	for _, s := range d.Samples {
		if _, err := os.Stat(s.Path); err != nil {
			t.Error(err)
		}
		// The folder of a digit is named after it.
		if !strings.HasPrefix(s.Name, fmt.Sprint(s.Label, "/")) {
			t.Errorf("%s has label %d", s.Name, s.Label)
		}
	}
}

func TestAnnFile(t *testing.T) {
	root := tree(t, "val/a.png", "val.txt:  a.png 3 \r\nb c  d.png 0\n/x/y.png 12", "classes.txt:tench\r\n two words \nlast")
	source := custom(root + "/val")
	source.AnnFile = root + "/val.txt"
	d := mustOpen(t, source)
	want := []Sample{
		{Name: "a.png", Path: root + "/val/a.png", Label: 3},
		{Name: "b c  d.png", Path: root + "/val/b c  d.png"},
		{Name: "/x/y.png", Path: "/x/y.png", Label: 12},
	}
	if diff := cmp.Diff(&Dataset{Type: "CustomDataset", AnnFile: root + "/val.txt", Samples: want}, d); diff != "" {
		t.Error(diff)
	}

	source.Prefix, source.ClassFile = root+"/val/", root+"/classes.txt"
	d = mustOpen(t, source)
	if diff := cmp.Diff([]string{"tench", " two words ", "last"}, d.Classes); diff != "" {
		t.Error(diff)
	}
	if d.Samples[0].Path != root+"/val/a.png" {
		t.Errorf("path %s", d.Samples[0].Path)
	}
}

func TestAnnFileErrors(t *testing.T) {
	root := tree(t, "a.png", "blank.txt:a.png 1\n\nb.png 2\n", "tab.txt:a.png\t1\n", "word.txt:a.png one\n", "float.txt:a.png 1.0\n",
		"huge.txt:a.png 99999999999999999999\n", "empty.txt:", "gone.txt:b.png 1\n", "long.txt:a.png 1\n"+strings.Repeat("x", maxLine+1))
	for name, want := range map[string]string{ // of the AnnFile
		"blank": `blank.txt:2": the line is blank`,
		"tab":   `tab.txt:1": want an image path, a space and a label`,
		"word":  `word.txt:1": label "one" is not an integer`,
		"float": `label "1.0" is not an integer`,
		"huge":  `is not an integer`,
		"empty": "it has no lines",
		"long":  `long.txt:2": bufio.Scanner: token too long`,
		"none":  "none.txt\": no such file or directory; a path of a config is relative to the current folder",
	} {
		source := custom(root)
		source.AnnFile = fmt.Sprintf("%s/%s.txt", root, name)
		wantError(t, source, "AnnFile", want)
	}
	gone := custom(root)
	gone.AnnFile = root + "/gone.txt"
	wantError(t, gone, "Prefix", "check data_prefix")
}

func TestHome(t *testing.T) {
	root := tree(t, "val/a.png", "val.txt:a.png 0\n", "classes.txt:x\n")
	t.Setenv("HOME", root)
	d := mustOpen(t, Source{Type: "CustomDataset", Prefix: "~/val", AnnFile: "~/val.txt", ClassFile: "~/classes.txt"})
	if d.Samples[0].Path != root+"/val/a.png" || len(d.Classes) != 1 {
		t.Errorf("%+v", d)
	}
}

func TestFolders(t *testing.T) {
	root := tree(t, "b/2.png", "b/10.JPG", "b/sub/deep/x.tif", "b/sub-a.png", "b/.hidden.png", "b/note.txt", "b/y.webp",
		"a/1.jpeg", ".hid/z.bmp", "B/q.ppm", "loose.png", "empty/", "empty/e.gif")
	// Links count as what they lead to; a broken one is skipped.
	for link, to := range map[string]string{"a/link.png": "../b/2.png", "a/broken.png": "nowhere", "linked": "a"} {
		if err := os.Symlink(to, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	d := mustOpen(t, custom(root))
	if diff := cmp.Diff([]string{".hid", "B", "a", "b", "empty", "linked"}, d.Classes); diff != "" {
		t.Error(diff)
	}
	want := []string{".hid/z.bmp=0", "B/q.ppm=1", "a/1.jpeg=2", "a/link.png=2",
		"b/10.JPG=3", "b/2.png=3", "b/sub-a.png=3", "b/sub/deep/x.tif=3", "linked/1.jpeg=5", "linked/link.png=5"}
	if diff := cmp.Diff(want, names(d)); diff != "" {
		t.Error(diff)
	}
	if d.Samples[0].Path != root+"/.hid/z.bmp" {
		t.Errorf("path %s", d.Samples[0].Path)
	}
	warning := "Found no valid file in the folder empty. Supported extensions are: .jpg, .jpeg, .png, .ppm, .bmp, .pgm, .tif"
	if diff := cmp.Diff([]string{warning}, d.Warnings); diff != "" {
		t.Error(diff)
	}

	source := custom(root)
	source.Extensions, source.Classes = []string{".WEBP", ".gif"}, strings.Split("uvwxyz", "")
	d = mustOpen(t, source)
	if diff := cmp.Diff([]string{"b/y.webp=3", "empty/e.gif=4"}, names(d)); diff != "" {
		t.Error(diff)
	}
	if d.Classes[0] != "u" {
		t.Errorf("classes %q", d.Classes)
	}
}

func TestFolderErrors(t *testing.T) {
	root := tree(t, "a/1.png", "b/1.png")
	one := custom(root)
	one.Classes = []string{"x"}
	wantError(t, one, "Prefix", "The number of subfolders (2) doesn't match the number of specified classes (1). Please check the data folder")
	wantError(t, Source{Type: "ImageNet", Prefix: root}, "Prefix", "subfolders (2) doesn't match the number of specified classes (1000)")
	flat := tree(t, "1.png")
	wantError(t, custom(flat), "Prefix", "Found 0 files in subfolders of: "+flat+". Supported extensions are: .jpg,.jpeg,.png,.ppm,.bmp,.pgm,.tif")
	wantError(t, custom(root+"/none"), "Prefix", "scanning data_prefix")
	circle := tree(t, "a/1.png")
	if err := os.Symlink("..", filepath.Join(circle, "a", "up")); err != nil {
		t.Fatal(err)
	}
	wantError(t, custom(circle), "Prefix", "circle")
}

func TestSourceErrors(t *testing.T) {
	wantError(t, Source{Type: "VOC"}, "Type", "[CustomDataset ImageNet ImageNet21k CIFAR10 CIFAR100 MNIST FashionMNIST]")
	source := custom(tree(t, "a/1.png"))
	source.ClassFile = "none.txt"
	wantError(t, source, "ClassFile", "reading class names: open none.txt")
	source.Classes = []string{"a"} // they win
	if d := mustOpen(t, source); len(d.Classes) != 1 {
		t.Errorf("classes %q", d.Classes)
	}
}

func TestImageNetClasses(t *testing.T) {
	root := tree(t, "a.png", "val.txt:a.png 999\n")
	d := mustOpen(t, Source{Type: "ImageNet", Prefix: root, AnnFile: root + "/val.txt"})
	if len(d.Classes) != 1000 || len(d.Warnings) != 0 {
		t.Fatalf("%d classes, warnings %q", len(d.Classes), d.Warnings)
	}
	for label, want := range map[int]string{0: "tench, Tinca tinca", 134: "crane", 517: "crane", 999: "toilet tissue, toilet paper, bathroom tissue"} {
		if d.Classes[label] != want {
			t.Errorf("class %d is %q, want %q", label, d.Classes[label], want)
		}
	}
}

func TestImageNet21k(t *testing.T) {
	root := tree(t, "n1/a.png", "n2/deep/b.JPEG", "val.txt:n2/deep/b.JPEG 20000\n")
	d := mustOpen(t, Source{Type: "ImageNet21k", Prefix: root})
	if diff := cmp.Diff([]string{"n1/a.png=0", "n2/deep/b.JPEG=1"}, names(d)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"n1", "n2"}, d.Classes); diff != "" {
		t.Error(diff)
	}
	d = mustOpen(t, Source{Type: "ImageNet21k", Prefix: root, AnnFile: root + "/val.txt"})
	if d.Classes != nil || d.Samples[0].Label != 20000 || d.Channels() != 3 {
		t.Errorf("%+v", d)
	}
}
