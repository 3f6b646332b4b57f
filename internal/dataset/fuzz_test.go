package dataset

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Any list of images, and any list of class names, is read or refused with the
// file's name in a line of bounded length.
func FuzzAnnFile(f *testing.F) {
	for _, s := range []string{
		"a.png 0\n", "\ufeffa.png 0\r\nb c.png 12\r\n\r\n", "0\\a.png 0\n", "a.png\t0", "a.png -1", " a.png  +7 \n", "\xff\xfea\x000\x00", "/etc/passwd 1\n../a.png 2",
		"a.png 0\n\nb.png 1", "a.png 99999999999999999999", "a\x00b.png 0", "~/a.png 0", strings.Repeat("a", maxLine) + " 0",
	} {
		f.Add(s)
	}
	root := f.TempDir()
	if err := os.WriteFile(filepath.Join(root, "a.png"), nil, 0o600); err != nil {
		f.Fatal(err)
	}
	list := filepath.Join(root, "list.txt")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(list, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		source := custom(root)
		source.AnnFile = list
		d, err := Open(t.Context(), source)
		if err != nil {
			checkLine(t, err)
		} else if len(d.Samples) == 0 || len(d.Samples) > strings.Count(text, "\n")+1 {
			t.Errorf("%d samples of %d lines", len(d.Samples), strings.Count(text, "\n")+1)
		} else {
			for _, s := range d.Samples {
				if s.Path != join(root, s.Name) || strings.ContainsAny(s.Name, "\n\r") || strings.HasPrefix(s.Name, "\ufeff\ufeff") {
					t.Errorf("%+v", s)
				}
			}
			d.LabelWarnings(10)
			d.ChanceWarning(0, len(d.Samples), 10)
		}
		names, err := new(Dataset).readClasses(t.Context(), list)
		if err != nil {
			checkLine(t, err)
		} else if text != "" && !strings.HasPrefix(text, "\ufeff") && names[0] != strings.TrimRight(strings.SplitN(text, "\n", 2)[0], "\r") {
			t.Errorf("the first name is %q", names[0])
		}
	})
}

// checkLine wants an error that names the file and quotes no more than a part of it.
func checkLine(t *testing.T, err error) {
	t.Helper()
	if text := err.Error(); !strings.Contains(text, "list.txt") && !strings.Contains(text, "data_prefix") || len(text) > 1000+2*maxLine {
		t.Errorf("%d bytes: %.300q", len(text), text)
	}
}
