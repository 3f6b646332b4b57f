package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"repvgg/internal/config/value"
)

type files = map[string]string

func TestInheritance(t *testing.T) {
	tests := []struct {
		name  string
		files files
		want  string
	}{
		{"no base", files{"a.py": "a = dict(b=1)"}, "{'a': {'b': 1}}"},
		{"dicts merge, the rest replaces", files{
			"b.py": "m = dict(x=1, y=[1, 2], z=dict(p=1, q=2), t=(1, 2))\nk = 1",
			"a.py": "_base_ = 'b.py'\nm = dict(y=[3], z=dict(q=3, r=4), t=None)\nl = 5",
		}, "{'m': {'x': 1, 'y': [3], 'z': {'p': 1, 'q': 3, 'r': 4}, 't': None}, 'k': 1, 'l': 5}"},
		{"list and tuple of bases, folders", files{
			"base/b.py": "b = 1", "base/sub/c.py": "_base_ = ('../b.py', )\nc = 2", "d.yaml": "d: 3",
			"x/a.py": "_base_ = ['../base/sub/c.py', '../d.yaml']\nb = 9",
		}, "{'b': 9, 'c': 2, 'd': 3}"},
		{"byte order mark", files{"a.py": "\ufeffa = 1\r\nb = 2\r\n"}, "{'a': 1, 'b': 2}"},
		{"empty list of bases", files{"a.py": "_base_ = []\na = 1"}, "{'a': 1}"},
		{"computed base", files{"b.py": "b = 1", "a.py": "n = 'b'\n_base_ = ['./%s.py' % n]"}, "{'b': 1, 'n': 'b'}"},
		{"the same base twice, without keys", files{"b.py": "", "a.py": "_base_ = ['b.py', 'b.py']\na = 1"}, "{'a': 1}"},
		{"_delete_ replaces", files{
			"b.py": "m = dict(x=1, z=dict(p=1))",
			"a.py": "_base_ = 'b.py'\nm = dict(_delete_=True, z=dict(q=2))",
		}, "{'m': {'z': {'q': 2}}}"},
		{"_delete_ over a scalar, False, without a base, nested in a new dict", files{
			"b.py": "m = 1\nn = dict(x=1)\no = dict()",
			"a.py": "_base_ = 'b.py'\nm = dict(_delete_=True, a=1)\nn = dict(_delete_=False, y=2)\no = dict(p=dict(q=dict(_delete_=True, r=1)))\nk = dict(_delete_=True, z=1)",
		}, "{'m': {'a': 1}, 'n': {'x': 1, 'y': 2}, 'o': {'p': {'q': {'r': 1}}}, 'k': {'z': 1}}"},
		{"_delete_ in a file without a base", files{"a.py": "m = dict(_delete_=True, z=dict(_delete_=True, y=1))"}, "{'m': {'z': {'y': 1}}}"},
		{"integer keys merge", files{
			"b.py": "m = {2: 4, 4: 4}", "a.py": "_base_ = 'b.py'\nm = {4: 2, 6: 2}",
		}, "{'m': {2: 4, 4: 2, 6: 2}}"},
		{"values of the base", files{
			"b.py": "p = dict(q=[1, dict(r=2)], s='x')",
			"a.py": "_base_ = 'b.py'\na = {{_base_.p.s}}\nb = [{{ _base_.p.q }}, ({{_base_.p}}, )]\nc = dict(d={{ _base_.p.q.1.r }})",
		}, "{'p': {'q': [1, {'r': 2}], 's': 'x'}, 'a': 'x', 'b': [[1, {'r': 2}], ({'q': [1, {'r': 2}], 's': 'x'},)], 'c': {'d': 2}}"},
		{"values of the base in quotes, YAML and JSON", files{
			"b.yml": "p: {q: 1.5}\nz: yes", "c.json": `{"_base_": "b.yml", "c": {{ _base_.p.q }}, "d": ["{{_base_.z}}"]}`,
			"a.yaml": "_base_: [c.json]\na: '{{_base_.d}}'\nb: {{_base_.p}}",
		}, "{'p': {'q': 1.5}, 'z': True, 'c': 1.5, 'd': [True], 'a': [True], 'b': {'q': 1.5}}"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			name := "a.py"
			for _, other := range []string{"a.yaml", "x/a.py"} {
				if _, ok := test.files[other]; ok {
					name = other
				}
			}
			if got := value.Format(loadFiles(t, test.files, name).root); got != test.want {
				t.Errorf("\n got %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestInheritanceErrors(t *testing.T) {
	manyBases := files{"a.py": "_base_ = ['b.py'] * 200", "b.py": ""}
	deep := files{}
	for i := range 40 {
		deep[fmt.Sprintf("%d.py", i)] = fmt.Sprintf("_base_ = '%d.py'", i+1)
	}
	deep["a.py"] = "_base_ = '0.py'"
	tests := []struct {
		name  string
		files files
		want  string
	}{
		{"missing base", files{"a.py": "x = 1\n_base_ = 'b.py'"}, `a.py:2:1: _base_: file "b.py" does not exist`},
		{"missing base of a base", files{"a.py": "_base_ = 'b.py'", "b.py": "_base_ = ['c.py']"},
			`b.py:1:1: _base_: file "c.py" does not exist (included from a.py)`},
		{"error in a base of a base", files{"a.py": "_base_ = 'b.py'", "b.py": "_base_ = ['d/c.py']", "d/c.py": "x = 1\ny = z"},
			`d/c.py:2:5: undefined: z (included from b.py, included from a.py)`},
		{"base of another type", files{"a.py": "_base_ = 'b.toml'", "b.toml": ""},
			`a.py:1:1: _base_: reading "b.toml": only py/yml/yaml/json type are supported now`},
		{"base that is a folder", files{"a.py": "_base_ = 'b'", "b/c.py": ""}, `a.py:1:1: _base_: reading "b": it is not a regular file but a folder`},
		{"duplicate keys", files{"a.py": "_base_ = ['b.py', 'c.py']", "b.py": "m = 1\nn = 1\no = 1", "c.py": "m = 1\no = 2"},
			`a.py:1:1: _base_: duplicate key is not allowed among bases: both "b.py" and "c.py" set m, o`},
		{"duplicate keys in a base", files{"a.py": "_base_ = 'd.py'", "d.py": "_base_ = ['b.py', 'c.py']", "b.py": "m = 1", "c.py": "m = 1"},
			`d.py:1:1: _base_: duplicate key is not allowed among bases: both "b.py" and "c.py" set m (included from a.py)`},
		{"a file that includes itself", files{"a.py": "_base_ = './a.py'"}, `a.py:1:1: _base_: include cycle: a.py -> a.py`},
		{"a cycle", files{"a.py": "_base_ = 'b.py'", "b.py": "_base_ = 'c.py'", "c.py": "_base_ = 'b.py'"},
			`c.py:1:1: _base_: include cycle: b.py -> c.py -> b.py (included from b.py, included from a.py)`},
		{"a long chain", deep, `14.py:1:1: _base_: more than 16 files include one another`},
		{"many files", manyBases, `a.py:1:1: _base_: more than 100 files are included`},
		{"base is no string", files{"a.py": "_base_ = 3"}, `a.py:1:1: _base_: want a file name or a list of file names, got 3`},
		{"base in a list is no string", files{"a.py": "_base_ = ['b.py', None]"}, `a.py:1:1: _base_: want a file name, got None`},
		{"dict over a string", files{"a.py": "_base_ = 'b.py'\nx = 1\nm = dict(n=dict(o=1))", "b.py": "m = dict(n='s')"},
			"a.py:3:1: m.n: n={'o': 1} in child config cannot inherit from base because n is a dict in the child config but is of type " +
				"<class 'str'> in base config. You may set `_delete_=True` to ignore the base config"},
		{"dict over a list", files{"a.py": "_base_ = 'b.py'\nm = dict(a=1)", "b.py": "m = [1]"}, "a.py:2:1: m: m={'a': 1} in child config cannot inherit from base because m is a dict in the child config but is of type <class 'list'>"},
		{"dict over None", files{"a.py": "_base_ = 'b.py'\nm = dict(a=1)", "b.py": "m = None"}, "a.py:2:1: m: m={'a': 1} in child config cannot inherit from base because m is a dict in the child config but is of type <class 'NoneType'>"},
		{"_delete_ is no bool", files{"a.py": "_base_ = 'b.py'\nm = dict(_delete_='x')", "b.py": "m = dict()"}, "a.py:2:1: m._delete_: want True or False, got 'x'"},
		{"_delete_ is no bool, no base", files{"a.py": "m = dict(_delete_='x')"}, "m._delete_: want True or False, got 'x'"},
		{"unknown value of the base", files{"a.py": "_base_ = 'b.py'\nx = [{{_base_.m.z}}]", "b.py": "m = dict(n=1)"},
			`a.py:2:1: {{_base_.m.z}}: there is no "z" in the base config (it has n)`},
		{"unknown element of the base", files{"a.py": "_base_ = 'b.py'\nx = {{_base_.m.1}}", "b.py": "m = [1]"},
			`a.py:2:1: {{_base_.m.1}}: there is no "1" in the base config's [1]`},
		{"value of the base in a string", files{"a.py": "_base_ = 'b.py'\nx = {{_base_.m}} + 'y'", "b.py": "m = 's'"},
			`a.py:2:1: {{_base_.m}} is inside a longer string: it can only be a whole value`},
		{"value of the base as key", files{"a.py": "_base_ = 'b.py'\nx = { {{_base_.m}}: 1}", "b.py": "m = 's'"},
			`a.py:2:1: {{_base_.m}} is a key: it can only be a value`},
		{"value of a base that is not there", files{"a.py": "x = {{_base_.m}}"}, `a.py:1:1: {{_base_.m}}: the file has no _base_`},
		{"reserved key", files{"a.py": "a = 1\nfilename = 'x'"}, "a.py:2:1: filename is reserved for config file"},
		{"another reserved key", files{"a.py": "pretty_text = 'x'"}, "a.py:1:1: pretty_text is reserved for config file"},
		{"error of Python", files{"a.py": "a = 1\nimport os"}, "a.py:2:1: an import statement is not available in a config"},
		{"large file", files{"a.py": "a = '" + strings.Repeat("x", 1<<20) + "'"}, `reading "a.py": larger than 1048576 bytes`},
		{"reserved key in a base", files{"a.py": "_base_ = 'b.py'", "b.py": "text = 1"},
			`b.py:1:1: text is reserved for config file: choose another name (included from a.py)`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := loadError(t, test.files, "a.py")
			if !strings.HasPrefix(got, `loading config "a.py": `+test.want) {
				t.Errorf("\n got %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestFileTemplates(t *testing.T) {
	dir := writeFiles(t, files{
		"sub/my.cfg.py": "a = '{{ fileDirname }}'\nb = '{{fileBasename}}'\nc = '{{ fileBasenameNoExtension}}'\nd = 'x{{fileExtname }}y'\ne = '{{ HOME }}'",
	})
	c, err := Load(filepath.Join(dir, "sub/my.cfg.py"), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := "{'a': '" + filepath.Join(dir, "sub") + "', 'b': 'my.cfg.py', 'c': 'my.cfg', 'd': 'x.pyy', 'e': '{{ HOME }}'}"
	if got := value.Format(c.root); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

func TestLoadFindsFiles(t *testing.T) {
	dir := writeFiles(t, files{"a.py": "a = 1", "b.py": "_base_ = '~/a.py'", "repvgg-A0/x": "", "c.txt": "a = 1", "repvgg-A1": "a = 1"})
	t.Chdir(dir)
	t.Setenv("HOME", dir)
	for _, name := range []string{"a.py", "./a.py", "~/a.py", "b.py", filepath.Join(dir, "a.py")} {
		c, err := Load(name, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if got := value.Format(c.root); got != "{'a': 1}" {
			t.Errorf("%s: got %s", name, got)
		}
	}
	c, err := Load("repvgg-A0", nil) // a folder of that name does not hide the embedded config
	if err != nil || c.Path() != "configs/repvgg/repvgg-A0_4xb64-coslr-120e_in1k.py" {
		t.Errorf("got %v, %v", c, err)
	}
	errs := []struct{ name, want string }{
		{"c.txt", `loading config "c.txt": reading "c.txt": only py/yml/yaml/json type are supported now`},
		{"repvgg-A1", `loading config "repvgg-A1": reading "repvgg-A1": only py/yml/yaml/json type are supported now`},
		{".", `loading config ".": "." is a folder: give a file in it`},
		{"repvgg-A9", `loading config "repvgg-A9": file "repvgg-A9" does not exist, and no embedded config has that name (did you mean repvgg-A0, repvgg-A1, repvgg-A2?)`},
		{"repvgg-A0_4xb64-coslr-120_in1k.py", `loading config "repvgg-A0_4xb64-coslr-120_in1k.py": file "repvgg-A0_4xb64-coslr-120_in1k.py" does not exist, and no embedded config has that name (did you mean repvgg-A0_4xb64-coslr-120e_in1k.py,`},
		{"resnet50.py", `loading config "resnet50.py": file "resnet50.py" does not exist, and no embedded config has that name (embedded configs: repvgg-A0, repvgg-A1, `},
		{"", `loading config "": file "" does not exist`},
		{"~/nothing.py", `loading config "~/nothing.py": file "` + dir + `/nothing.py" does not exist`},
		{strings.Repeat("x", 300), `loading config "xxx`},
	}
	for _, test := range errs {
		if _, err := Load(test.name, nil); err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%q\n got %v\nwant %s", test.name, err, test.want)
		}
	}
	if os.Getuid() != 0 {
		if err := os.Chmod("a.py", 0); err != nil {
			t.Fatal(err)
		}
		if _, err := Load("a.py", nil); err == nil || !strings.Contains(err.Error(), `reading "a.py"`) {
			t.Errorf("unreadable file: got %v", err)
		}
	}
}

func TestWarnings(t *testing.T) {
	dir := writeFiles(t, files{
		"a.py": "_base_ = 'b.py'\n_deprecation_ = dict(expected='new.py', reference='https://example.org/1')",
		"b.py": "_deprecation_ = True\nx = 1\ncustom_imports = dict(imports=['m.n'], allow_failed_imports=False)",
	})
	t.Chdir(dir)
	c, err := Load("a.py", nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`config "a.py" is deprecated: use new.py instead (more at https://example.org/1)`,
		`config "b.py" is deprecated`,
		`config "a.py": custom_imports={'imports': ['m.n'], 'allow_failed_imports': False} has no effect: Python modules are not imported`,
	}
	if got := strings.Join(c.Warnings(), "\n"); got != strings.Join(want, "\n") {
		t.Errorf("got %s", got)
	}
	if c.Root().Has("_deprecation_") || c.Root().Has("_base_") {
		t.Error("keys of the language remain")
	}
	if got := loadText(t, "custom_imports = None").Warnings(); len(got) > 0 {
		t.Errorf("got %q", got)
	}
}
