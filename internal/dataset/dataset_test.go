package dataset

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tree writes files to a new folder and returns its path. A file holds the text
// after the colon in its name, or nothing.
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

// custom returns the source of a CustomDataset in a folder.
func custom(root string) Source { return Source{Type: "CustomDataset", Prefix: root} }

func mustOpen(t *testing.T, s Source) *Dataset {
	t.Helper()
	d, err := Open(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// wantError requires an error about a field.
func wantError(t *testing.T, s Source, field, want string) {
	t.Helper()
	_, err := Open(t.Context(), s)
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
		// The folder of a digit is named by the digit.
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
	if diff := cmp.Diff(want, d.Samples); diff != "" {
		t.Error(diff)
	}
	if d.Type != "CustomDataset" || d.AnnFile != root+"/val.txt" || d.Prefix != root+"/val" || d.Scanned || d.Classes != nil || d.Warnings != nil {
		t.Errorf("%+v", d)
	}

	source.Prefix, source.ClassFile = root+"/val/", root+"/classes.txt"
	d = mustOpen(t, source)
	if diff := cmp.Diff([]File{{"file of class names", root + "/classes.txt"}, {"ann_file", root + "/val.txt"}}, d.Files); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"tench", " two words ", "last"}, d.Classes); diff != "" {
		t.Error(diff)
	}
	if d.Samples[0].Path != root+"/val/a.png" {
		t.Errorf("path %s", d.Samples[0].Path)
	}
}

func TestAnnFileErrors(t *testing.T) {
	root := tree(t, "a.png", "blank.txt:a.png 1\n\nb.png 2\n", "tab.txt:a.png\t1\n", "word.txt:a.png one\n", "float.txt:a.png 1.0\n",
		"huge.txt:a.png 99999999999999999999\n", "empty.txt:", "gone.txt:b.png 1\n", "utf16.txt:\xff\xfea\x00 \x001\x00\n\x00", "mac.txt:a.png 1\rb.png 2\r", "long.txt:a.png 1\n"+strings.Repeat("x", maxLine+1))
	for name, want := range map[string]string{ // of the AnnFile
		"blank": `blank.txt:2": the line is blank`,
		"tab":   `tab.txt:1": want an image path, a space and a label`,
		"word":  `word.txt:1": label "one" is not an integer`,
		"float": `label "1.0" is not an integer`,
		"huge":  `is not an integer`,
		"empty": "it has no lines",
		"long":  `long.txt:2": the line has more than 65536 bytes`,
		"utf16": "utf16.txt\": it is UTF-16: save it as UTF-8",
		"mac":   `mac.txt:1": it has a carriage return within it`,
		"none":  "none.txt\": no such file or directory; paths in a config are relative to the current folder",
	} {
		source := custom(root)
		source.AnnFile = fmt.Sprintf("%s/%s.txt", root, name)
		wantError(t, source, "AnnFile", want)
	}
	gone := custom(root)
	gone.AnnFile = root + "/gone.txt"
	wantError(t, gone, "Prefix", "check data_prefix")
	gone.Prefix = root + `\val`
	wantError(t, gone, "Prefix", `; write / for \ in it`)
	gone.AnnFile = root + `\val.txt`
	wantError(t, gone, "AnnFile", `; write / for \ in it`)
}

// Lists that editors on Windows wrote are read as what they mean.
func TestAnnFileOfWindows(t *testing.T) {
	root := tree(t, "0/a.png", "1/b.png", `c\d.png`, "bom.txt:\ufeff0/a.png 0\r\n1/b.png 1\r\n\r\n \r\n", `back.txt:0\a.png 0`+"\n"+`1\b.png 1`+"\n",
		`name.txt:c\d.png 3`+"\n", "classes.txt:\ufeffzero\r\none\r\n", "mixed.txt:1/b.png 1\n"+`0\a.png 0`+"\n")
	source := custom(root)
	source.ClassFile = root + "/classes.txt"
	for name, want := range map[string][]string{
		"bom": {"0/a.png=0", "1/b.png=1"}, "back": {"0/a.png=0", "1/b.png=1"}, "mixed": {"1/b.png=1", "0/a.png=0"},
		"name": {`c\d.png=3`}, // a name of this system
	} {
		source.AnnFile = root + "/" + name + ".txt"
		d := mustOpen(t, source)
		if diff := cmp.Diff(want, names(d)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		for _, s := range d.Samples {
			if _, err := os.Stat(s.Path); err != nil {
				t.Error(err)
			}
		}
		if noted := len(d.Warnings) == 1 && strings.Contains(d.Warnings[0], "was written on Windows"); noted != (name == "back" || name == "mixed") {
			t.Errorf("%s: warnings %q", name, d.Warnings)
		}
		if diff := cmp.Diff([]string{"zero", "one"}, d.Classes); diff != "" {
			t.Error(diff)
		}
	}
}

// What is no regular file is refused, where opening it would wait.
func TestNotRegular(t *testing.T) {
	root := tree(t, "a.png", "val.txt:a.png 0\n", "cifar-10-batches-py/", "folder/")
	for _, name := range []string{"pipe", "cifar-10-batches-py/test_batch", "t10k-images-idx3-ubyte"} {
		if err := syscall.Mkfifo(filepath.Join(root, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const want = "it is not a regular file but a "
	for _, path := range []string{"/pipe", "/folder"} {
		source := custom(root)
		source.AnnFile = root + path
		wantError(t, source, "AnnFile", want)
		source.AnnFile, source.ClassFile = root+"/val.txt", root+path
		wantError(t, source, "ClassFile", want)
	}
	wantError(t, Source{Type: "CIFAR10", Prefix: root}, "Prefix", want)
	wantError(t, Source{Type: "MNIST", Prefix: root}, "Prefix", want)
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
	// A link counts as its target. A broken link is skipped.
	for link, to := range map[string]string{"a/link.png": "../b/2.png", "a/broken.png": "nowhere", "linked": "a"} {
		if err := os.Symlink(to, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	d := mustOpen(t, custom(root))
	if diff := cmp.Diff([]string{"B", "a", "b", "empty", "linked"}, d.Classes); diff != "" {
		t.Error(diff)
	}
	want := []string{"B/q.ppm=0", "a/1.jpeg=1", "a/link.png=1",
		"b/10.JPG=2", "b/2.png=2", "b/sub-a.png=2", "b/sub/deep/x.tif=2", "linked/1.jpeg=4", "linked/link.png=4"}
	if diff := cmp.Diff(want, names(d)); diff != "" {
		t.Error(diff)
	}
	if d.Samples[0].Path != root+"/B/q.ppm" || d.Prefix != root || !d.Scanned {
		t.Errorf("path %s, %q", d.Samples[0].Path, d.Prefix)
	}
	warnings := []string{
		"hidden folders are no classes and are left out: .hid; if they are classes, rename them",
		"Found no valid file in the folder empty. Supported extensions are: .jpg, .jpeg, .png, .ppm, .bmp, .pgm, .tif",
	}
	if diff := cmp.Diff(warnings, d.Warnings); diff != "" {
		t.Error(diff)
	}

	source := custom(root)
	source.Extensions, source.Classes = []string{".WEBP", ".gif"}, strings.Split("vwxyz", "")
	d = mustOpen(t, source)
	if diff := cmp.Diff([]string{"b/y.webp=2", "empty/e.gif=3"}, names(d)); diff != "" {
		t.Error(diff)
	}
	if d.Classes[0] != "v" {
		t.Errorf("classes %q", d.Classes)
	}
	// Classes as many as the folders with the hidden one say that it is one.
	source = custom(root)
	source.Classes = strings.Split("uvwxyz", "")
	d = mustOpen(t, source)
	if want := append([]string{".hid/z.bmp=0"}, "B/q.ppm=1"); cmp.Diff(want, names(d)[:2]) != "" || len(d.Warnings) != 1 {
		t.Errorf("%q, warnings %q", names(d), d.Warnings)
	}
}

func TestFolderErrors(t *testing.T) {
	root := tree(t, "a/1.png", "b/1.png")
	one := custom(root)
	one.Classes = []string{"x"}
	wantError(t, one, "Prefix", "The number of subfolders (2) doesn't match the number of specified classes (1). Please check the data folder")
	one.Prefix = tree(t, "a/1.png", "__MACOSX/._1.png")
	wantError(t, one, "Prefix", "The number of subfolders (2) doesn't match the number of specified classes (1). Please check the data folder; these hold no images: __MACOSX")
	wantError(t, Source{Type: "ImageNet", Prefix: root}, "Prefix", "subfolders (2) doesn't match the number of specified classes (1000)")
	flat := tree(t, "1.png")
	wantError(t, custom(flat), "Prefix", "Found 0 files in subfolders of: "+flat+". Supported extensions are: .jpg,.jpeg,.png,.ppm,.bmp,.pgm,.tif")
	wantError(t, custom(root+"/none"), "Prefix", "scanning data_prefix")
	circle := tree(t, "a/1.png")
	if err := os.Symlink("..", filepath.Join(circle, "a", "up")); err != nil {
		t.Fatal(err)
	}
	wantError(t, custom(circle), "Prefix", "cycle of links")
}

func TestSourceErrors(t *testing.T) {
	wantError(t, Source{Type: "VOC"}, "Type", "[CustomDataset ImageNet ImageNet21k CIFAR10 CIFAR100 MNIST FashionMNIST]")
	source := custom(tree(t, "a/1.png"))
	source.ClassFile = "none.txt"
	wantError(t, source, "ClassFile", "reading class names: open none.txt")
	source.Classes = []string{"a"} // they take precedence
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
