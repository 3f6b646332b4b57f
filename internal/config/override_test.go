package config

import (
	"math"
	"strings"
	"testing"

	"repvgg/internal/config/value"
)

// The wanted values are those of mmcv's DictAction. Where we differ, the comment
// gives mmcv's result.
func TestParseLiteral(t *testing.T) {
	tests := []struct{ text, want string }{
		{"1", "1"}, {"-7", "-7"}, {"+7", "7"}, {"007", "7"}, {"1_000", "1000"}, {"1__0", "'1__0'"}, {"_1", "'_1'"}, {"1_", "'1_'"},
		{"0x10", "'0x10'"}, {"1.5", "1.5"}, {"1.", "1.0"}, {".5", "0.5"}, {"1e-3", "0.001"}, {"1E3", "1000.0"}, {"1_0.5_0", "10.5"},
		{"1e400", "inf"}, {"-1e400", "-inf"}, {"inf", "inf"}, {"-Infinity", "-inf"}, {"NaN", "nan"}, {"-nan", "nan"}, {".", "'.'"},
		{"e5", "'e5'"}, {"1e", "'1e'"}, {"0x1p-2", "'0x1p-2'"},
		{"true", "True"}, {"TRUE", "True"}, {"False", "False"}, {"fALSE", "False"}, {"None", "None"}, {"none", "'none'"}, {"null", "'null'"},
		{"", "''"}, {"''", "''"}, {"a", "'a'"}, {"'a'", "'a'"}, {`"1"`, "1"}, {"a=b", "'a=b'"},
		{"1,2", "[1, 2]"}, {"a,b", "['a', 'b']"}, {"a,", "['a']"}, {",a", "['', 'a']"}, {",", "['']"}, {"1,,2", "[1, '', 2]"},
		{"[1,2]", "[1, 2]"}, {"(1,2)", "(1, 2)"}, {"[1]", "[1]"}, {"(1)", "(1,)"}, {"[]", "[]"}, {"()", "()"}, {"[a,]", "['a']"},
		{"( 256 , -1 )", "(256, -1)"}, {"[(1,2),[3,(4,)],5]", "[(1, 2), [3, (4,)], 5]"}, {"[[]]", "[[]]"}, {"((1))", "((1,),)"},
		{`"['a','b']"`, "['a', 'b']"}, {"'a','b'", "['a', 'b']"}, {`["a b", 'c']`, "['a b', 'c']"},
		{"[1.0,true,None,x]", "[1.0, True, None, 'x']"},
		{"/a b/c", "'/a b/c'"},              // mmcv: '/ab/c'
		{"'/a b/c'", "'/a b/c'"},            // mmcv: '/ab/c'
		{"a b, c d", "['a b', 'c d']"},      // mmcv: ['ab', 'cd']
		{"[/x y/z, 1]", "['/x y/z', 1]"},    // mmcv: ['/xy/z', 1]
		{"1 0", "'1 0'"},                    // mmcv: 10
		{"(1,2),(3,4)", "[(1, 2), (3, 4)]"}, // mmcv: RecursionError
		{"[1],[2]", "[[1], [2]]"},           // mmcv: imbalanced
		{"f(1,2)", "'f(1,2)'"},              // mmcv: RecursionError
		{"/data/a(1/b.png", "'/data/a(1/b.png'"},
		{"/data/(1)/b.png", "'/data/(1)/b.png'"},
	}
	for _, test := range tests {
		v, err := parseLiteral(test.text)
		if err != nil {
			t.Errorf("%q: %v", test.text, err)
		} else if got := value.Format(v); got != test.want {
			t.Errorf("%q: got %s, want %s", test.text, got, test.want)
		}
	}
	if v, _ := parseLiteral("9007199254740993"); v != int64(9007199254740993) {
		t.Errorf("got %v", v)
	}
	if v, _ := parseLiteral("nan"); !math.IsNaN(v.(float64)) {
		t.Errorf("got %v", v)
	}
}

func TestOverrides(t *testing.T) {
	const text = `
model = dict(backbone=dict(arch='A0', groups={2: 4, 4: 4}, se_cfg=None), head=dict(topk=(1, 5)))
data = dict(test=dict(pipeline=[dict(type='Load'), dict(type='Resize', size=(256, -1), mean=[1.5, 2.5])]))
n = 1
`
	tests := []struct {
		items []string
		path  string
		want  string
	}{
		{[]string{"n=2"}, "n", "2"},
		{[]string{"n=2", "n=3"}, "n", "3"},
		{[]string{" n =2"}, "n", "2"},
		{[]string{"new.a.b=x"}, "new", "{'a': {'b': 'x'}}"},
		{[]string{"new.0=x"}, "new", "{'0': 'x'}"},
		{[]string{"model.backbone.arch=B1"}, "model.backbone.arch", "'B1'"},
		{[]string{"model.backbone=1"}, "model.backbone", "1"},
		{[]string{"data.test.pipeline.1.size=(224,-1)"}, "data.test.pipeline.1.size", "(224, -1)"},
		{[]string{"data.test.pipeline.01.size=(224,-1)"}, "data.test.pipeline.1.size", "(224, -1)"},
		{[]string{"data.test.pipeline.1.mean.0=1.0"}, "data.test.pipeline.1.mean", "[1.0, 2.5]"},
		{[]string{"data.test.pipeline.1.size.0=224"}, "data.test.pipeline.1.size", "(224, -1)"},
		{[]string{"data.test.pipeline.0=x"}, "data.test.pipeline.0", "'x'"},
		{[]string{"data.test.pipeline.1._delete_=True", "data.test.pipeline.1.type=Crop"}, "data.test.pipeline.1", "{'type': 'Crop'}"},
		{[]string{"model.head._delete_=true", "model.head.k=1"}, "model.head", "{'k': 1}"},
		{[]string{"model.backbone.groups.4=2", "model.backbone.groups.6=8"}, "model.backbone.groups", "{2: 4, 4: 2, 6: 8}"},
	}
	for _, test := range tests {
		c := loadText(t, text, test.items...)
		v, err := new(loader).lookupBase(test.path, c.root)
		if err != nil {
			t.Errorf("%q: %v", test.items, err)
		} else if got := value.Format(v); got != test.want {
			t.Errorf("%q: %s is %s, want %s", test.items, test.path, got, test.want)
		}
	}

	errs := []struct {
		items []string
		want  string
	}{
		{[]string{"n"}, `parsing override "n": missing "=": write it as key=value`},
		{[]string{"=1"}, `parsing override "=1": missing key before "=": write it as key=value`},
		{[]string{"a..b=1"}, `parsing override "a..b=1": empty name in key "a..b": write it as a.b.c=value`},
		{[]string{"n=(1,2"}, `parsing override "n=(1,2": imbalanced brackets exist in "(1,2"`},
		{[]string{"n=[1"}, `imbalanced brackets exist in "[1"`},
		{[]string{"n=1)"}, `imbalanced brackets exist in "1)"`},
		{[]string{"n=(1,2]"}, `imbalanced brackets exist in "(1,2]"`},
		{[]string{"n=a,)b("}, `imbalanced brackets exist in "a,)b("`},
		{[]string{"n=99999999999999999999"}, "integer 99999999999999999999 is out of range: it does not fit 64 bits"},
		{[]string{"n=" + strings.Repeat("[", 200) + strings.Repeat("]", 200)}, "nested deeper than 100 levels"},
		{[]string{strings.Repeat("a.", 200) + "b=1"}, "nested deeper than 100 levels"},
		{[]string{"x=1", "x.y=2"}, `parsing override "x.y=2": another override sets x to 1, which has no keys`},
		{[]string{"x.y=1", "x=2"}, `parsing override "x=2": another override sets a key below x`},
		{[]string{"text=1"}, `text is reserved for config file: choose another name`},
		{[]string{"n.a=1"}, "n: n={'a': 1} in child config cannot inherit from base because n is a dict in the child config but is of type <class 'int'> in base config. You may set `_delete_=True` to ignore the base config"},
		{[]string{"model.backbone.se_cfg.ratio=4"}, "model.backbone.se_cfg: se_cfg={'ratio': 4} in child config cannot inherit from base because se_cfg is a dict in the child config but is of type <class 'NoneType'>"},
		{[]string{"data.test.pipeline.2.size=1"}, "data.test.pipeline: index 2 exceeds the length of list [{'type': 'Load'}, {"},
		{[]string{"data.test.pipeline.99999999999999999999=1"}, "data.test.pipeline: index 99999999999999999999 exceeds the length of list"},
		{[]string{"model.head.topk.2=1"}, "model.head.topk: index 2 exceeds the length of tuple (1, 5)"},
		{[]string{"data.test.pipeline.x.size=1"}, `data.test.pipeline is a list of length 2: use the index of an element, not "x"`},
		{[]string{"data.test.pipeline.-1.size=1"}, `use the index of an element, not "-1"`},
		{[]string{"model._delete_=maybe"}, "model._delete_: want True or False, got 'maybe'"},
	}
	for _, test := range errs {
		got := loadError(t, files{"a.py": text}, "a.py", test.items...)
		if !strings.Contains(got, test.want) {
			t.Errorf("%.80q\n got %s\nwant %s", test.items, got, test.want)
		}
	}
	if got := loadError(t, files{"a.py": text}, "a.py", "n.a=1"); !strings.HasPrefix(got, `applying overrides to config "a.py": n: `) {
		t.Errorf("got %s", got)
	}
}

func TestUnread(t *testing.T) {
	const text = `
test_pipeline = [dict(type='Resize', size=1)]
data = dict(test=dict(type='ImageNet', pipeline=test_pipeline, classes=['a', 'b']), n=1, groups={2: 4})
`
	type resize struct {
		Size int `config:"size"`
	}
	tests := []struct {
		name   string
		items  []string
		read   func(root Section) error
		unread string
	}{
		{"nothing is read", []string{"a=1", "b.c=2"}, func(Section) error { return nil }, "a=1 b.c=2"},
		{"a variable whose value was used before", []string{"test_pipeline.0.size=2", "data.test.pipeline.0.size=3"}, func(root Section) error {
			steps, err := sectionAt(root, "data", "test").Sections("pipeline")
			if err != nil {
				return err
			}
			return steps[0].Decode(new(resize))
		}, "test_pipeline.0.size=2"},
		{"a key that the struct does not have", []string{"data.test.pipeline.0.size=3", "data.test.pipeline.0.sise=3"}, func(root Section) error {
			steps, err := sectionAt(root, "data", "test").Sections("pipeline")
			if err != nil {
				return err
			}
			return steps[0].Decode(new(resize))
		}, "data.test.pipeline.0.sise=3"},
		{"a raw value takes all below", []string{"data.test.pipeline.0.size=3", "data.m=1"}, func(root Section) error {
			var v struct {
				Test value.Value `config:"test"`
			}
			return sectionAt(root, "data").Decode(&v)
		}, "data.m=1"},
		{"a nested struct reads its fields", []string{"data.test.type=X", "data.n=1"}, func(root Section) error {
			var v struct {
				Data struct {
					Test struct {
						Type string `config:"type"`
					} `config:"test"`
				} `config:"data"`
			}
			return root.Decode(&v)
		}, "data.n=1"},
		{"Has and Section read only their key", []string{"data.n=1", "data.test.type=X"}, func(root Section) error {
			sectionAt(root, "data").Has("n")
			return nil
		}, "data.test.type=X"},
		{"reading an element reads the list it is of", []string{"data.test.pipeline=[1]", "data.test.classes.1=c", "data.groups.2=8"}, func(root Section) error {
			var v struct {
				Pipeline []int       `config:"pipeline"`
				Classes  []string    `config:"classes"`
				Groups   map[int]int `config:"groups"`
			}
			if err := sectionAt(root, "data", "test").Decode(&v); err != nil {
				return err
			}
			return sectionAt(root, "data").Decode(&v)
		}, ""},
		{"decoding a Section field does not read its keys", []string{"data.n=1"}, func(root Section) error {
			var v struct {
				Data Section `config:"data"`
			}
			return root.Decode(&v)
		}, "data.n=1"},
		{"an item given twice is listed once", []string{"a=1", "a=1"}, func(Section) error { return nil }, "a=1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := loadText(t, text, test.items...)
			if err := test.read(c.Root()); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(c.Unread(), " "); got != test.unread {
				t.Errorf("got %q, want %q", got, test.unread)
			}
		})
	}
}

// sectionAt returns the section at a path of keys below s. For a missing key it
// returns an empty section, and later reads fail.
func sectionAt(s Section, keys ...string) Section {
	for _, key := range keys {
		s, _ = s.Section(key)
	}
	return s
}

// TestOverrideInErrors checks that an error names the override that set the wrong
// value.
func TestOverrideInErrors(t *testing.T) {
	c := loadText(t, "m = dict(a=dict(b=1), c=2)", "m.a.b=x", "m.d=[1,2]")
	m := sectionAt(c.Root(), "m")
	for key, want := range map[string]string{
		"a.b": ` with override m.a.b=x: m.a.b: bad`,
		"d.1": ` with override m.d=[1,2]: m.d.1: bad`,
		"c":   `: m.c: bad`,
		"a":   `: m.a: bad`,
		"":    `: m: bad`,
	} {
		if got := m.Errorf(key, "bad").Error(); got != `config "`+c.Path()+`"`+want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestOptions(t *testing.T) {
	s, err := Options("--metric-options", []string{"topk=(1,5)", "thrs=[0.1,None]"})
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		TopK []int       `config:"topk"`
		Thrs value.Value `config:"thrs"`
	}
	if err := s.Decode(&v); err != nil {
		t.Fatal(err)
	}
	if value.Format(v.Thrs) != "[0.1, None]" || len(v.TopK) != 2 || v.TopK[1] != 5 {
		t.Errorf("got %v", v)
	}
	if err := s.Errorf("topk", "bad"); !strings.Contains(err.Error(), "--metric-options") || !strings.HasSuffix(err.Error(), "topk: bad") {
		t.Errorf("got %v", err)
	}
	if _, err := Options("--metric-options", []string{"topk"}); err == nil || !strings.Contains(err.Error(), `missing "="`) {
		t.Errorf("got %v", err)
	}
}
