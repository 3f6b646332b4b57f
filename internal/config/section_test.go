package config

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repvgg/internal/config/value"
)

type common struct {
	Type string `config:"type"`
}

type seCfg struct {
	Ratio   int     `config:"ratio"`
	Divisor float64 `config:"divisor"`
}

type target struct {
	common
	Name     string             `config:"name,required"`
	Deploy   bool               `config:"deploy"`
	Count    int                `config:"count"`
	Small    int8               `config:"small"`
	Unsigned uint8              `config:"unsigned"`
	Rate     float32            `config:"rate"`
	Width    []float64          `config:"width"`
	Pair     [2]int             `config:"pair"`
	SE       *seCfg             `config:"se"`
	Nested   seCfg              `config:"nested"`
	Groups   map[int]int        `config:"groups"`
	Ratios   map[string]float64 `config:"ratios"`
	Steps    []seCfg            `config:"steps"`
	Raw      value.Value        `config:"raw"`
	List     value.List         `config:"list"`
	Tuple    value.Tuple        `config:"tuple"`
	Dict     *value.Dict        `config:"dict"`
	Optional *string            `config:"optional"`
	Untagged int
}

func TestDecode(t *testing.T) {
	c := loadText(t, `
x = dict(type='T', name='n', deploy=True, count=-3, small=127, unsigned=255, rate=2, width=(1, 2.5), pair=[3, 4],
    se=dict(ratio=4), nested=dict(divisor=2), groups={2: 4}, ratios=dict(a=1), steps=[dict(ratio=1), dict(ratio=2)],
    raw=[1, ('a', None)], list=[1], tuple=(1, ), dict=dict(a=1), optional='o', extra=1)
y = dict(name='m', se=None, optional=None, dict=None, raw=None)
`)
	raw := new(value.Dict)
	raw.Set("a", int64(1))
	o := "o"
	want := target{
		common: common{"T"}, Name: "n", Deploy: true, Count: -3, Small: 127, Unsigned: 255, Rate: 2, Width: []float64{1, 2.5},
		Pair: [2]int{3, 4}, SE: &seCfg{Ratio: 4, Divisor: 8}, Nested: seCfg{Ratio: 16, Divisor: 2}, Groups: map[int]int{2: 4},
		Ratios: map[string]float64{"a": 1}, Steps: []seCfg{{Ratio: 1}, {Ratio: 2}}, Raw: value.List{int64(1), value.Tuple{"a", nil}},
		List: value.List{int64(1)}, Tuple: value.Tuple{int64(1)}, Dict: raw, Optional: &o, Untagged: 5,
	}
	defaults := &seCfg{Ratio: 2, Divisor: 8}
	got := target{SE: defaults, Nested: seCfg{Ratio: 16}, Untagged: 5}
	if err := sectionAt(c.Root(), "x").Decode(&got); err != nil {
		t.Fatal(err)
	}
	unexported := cmp.AllowUnexported(target{})
	if diff := cmp.Diff(want, got, unexported); diff != "" {
		t.Error(diff)
	}
	if *defaults != (seCfg{Ratio: 2, Divisor: 8}) {
		t.Errorf("the default was changed: %v", *defaults)
	}

	got = target{common: common{"kept"}, Count: 7, SE: defaults, Raw: 1, Optional: &o, Dict: raw}
	if err := sectionAt(c.Root(), "y").Decode(&got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(target{common: common{"kept"}, Name: "m", Count: 7}, got, unexported); diff != "" {
		t.Error(diff)
	}
}

func TestDecodeErrors(t *testing.T) {
	tests := []struct{ text, want string }{
		{"x = dict()", "x.name: missing (there is nothing)"},
		{"x = dict(a=1, b=2)", "x.name: missing (there is a, b)"},
		{"x = dict(name=3)", "x.name: want a string, got 3"},
		{"x = dict(name=None)", "x.name: want a string, got None"},
		{"x = dict(name='n', deploy='yes')", "x.deploy: want a bool (True or False), got 'yes'"},
		{"x = dict(name='n', deploy=1)", "x.deploy: want a bool (True or False), got 1"},
		{"x = dict(name='n', count=1.0)", "x.count: want an int, got 1.0"},
		{"x = dict(name='n', count=True)", "x.count: want an int, got True"},
		{"x = dict(name='n', small=128)", "x.small: want an int of 8 bits, got 128"},
		{"x = dict(name='n', unsigned=-1)", "x.unsigned: want an int >= 0 of 8 bits, got -1"},
		{"x = dict(name='n', unsigned=256)", "x.unsigned: want an int >= 0 of 8 bits, got 256"},
		{"x = dict(name='n', unsigned='1')", "x.unsigned: want an int, got '1'"},
		{"x = dict(name='n', rate=True)", "x.rate: want a number, got True"},
		{"x = dict(name='n', width=3)", "x.width: want a list, got 3"},
		{"x = dict(name='n', width=[1, 'a'])", "x.width.1: want a number, got 'a'"},
		{"x = dict(name='n', pair=(1, ))", "x.pair: want a list of 2 elements, got (1,)"},
		{"x = dict(name='n', se=3)", "x.se: want a dict, got 3"},
		{"x = dict(name='n', se=dict(ratio='a'))", "x.se.ratio: want an int, got 'a'"},
		{"x = dict(name='n', nested=None)", "x.nested: want a dict, got None"},
		{"x = dict(name='n', groups=[1])", "x.groups: want a dict, got [1]"},
		{"x = dict(name='n', groups=dict(a=1))", "x.groups.a: want an int as key, got 'a'"},
		{"x = dict(name='n', groups={2: 'a'})", "x.groups.2: want an int, got 'a'"},
		{"x = dict(name='n', ratios={2: 1})", "x.ratios.2: want a string as key, got 2"},
		{"x = dict(name='n', steps=[dict(ratio=1), dict(ratio=None)])", "x.steps.1.ratio: want an int, got None"},
		{"x = dict(name='n', list=(1, ))", "x.list: want a list, got (1,)"},
		{"x = dict(name='n', tuple=None)", "x.tuple: want a tuple, got None"},
		{"x = dict(name='n', dict=[])", "x.dict: want a dict, got []"},
		{"x = dict(name='" + strings.Repeat("n", 300) + "', count='" + strings.Repeat("é", 300) + "')", "x.count: want an int, got '" + strings.Repeat("é", 99) + "..."},
	}
	for _, test := range tests {
		c := loadText(t, test.text)
		want := `config "` + c.Path() + `": ` + test.want
		if err := sectionAt(c.Root(), "x").Decode(new(target)); err == nil || err.Error() != want {
			t.Errorf("%q\n got %v\nwant %s", test.text, err, want)
		}
	}
	c := loadText(t, "x = dict(a=1)")
	for _, dst := range []any{nil, 3, target{}, (*target)(nil), new(int), &struct {
		A chan int `config:"a"`
	}{}, &struct {
		A error `config:"a"`
	}{}} {
		if err := sectionAt(c.Root(), "x").Decode(dst); err == nil || !strings.Contains(err.Error(), "decoding: ") {
			t.Errorf("decoding into %T: got %v", dst, err)
		}
	}
}

func TestDecodeStrict(t *testing.T) {
	type resize struct {
		Size    value.Value `config:"size"`
		Backend string      `config:"backend"`
		Inner   seCfg       `config:"inner"`
	}
	tests := []struct{ text, want string }{
		{"x = dict(type='Resize', size=3)", ""},
		{"x = dict(type='Resize', sise=3)", "x.sise: unknown key: known are backend, inner, size"},
		{"x = {'size': 3, 4: 5}", "x.4: unknown key: known are backend, inner, size"},
		{"x = dict(inner=dict(type='a', b=1))", "x.inner.b: unknown key: known are divisor, ratio"},
	}
	for _, test := range tests {
		err := sectionAt(loadText(t, test.text).Root(), "x").DecodeStrict(new(resize))
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.HasSuffix(err.Error(), `": `+test.want)) {
			t.Errorf("%q\n got %v\nwant %s", test.text, err, test.want)
		}
	}
}

func TestSection(t *testing.T) {
	c := loadText(t, "data = dict(test=dict(pipeline=[dict(type='A'), dict(type='B')], bad=[dict(), 3], none=None))\nk = (dict(a=1), )")
	root := c.Root()
	if root.Path() != "" {
		t.Errorf("root path %q", root.Path())
	}
	test := sectionAt(root, "data", "test")
	if test.Path() != "data.test" || !test.Has("none") || test.Has("other") {
		t.Errorf("got %q, %v, %v", test.Path(), test.Has("none"), test.Has("other"))
	}
	steps, err := test.Sections("pipeline")
	if err != nil || len(steps) != 2 || steps[1].Path() != "data.test.pipeline.1" {
		t.Errorf("got %v, %v", steps, err)
	}
	if steps, err := root.Sections("k"); err != nil || len(steps) != 1 || steps[0].Path() != "k.0" {
		t.Errorf("got %v, %v", steps, err)
	}
	prefix := `config "` + c.Path() + `": `
	_, missing := test.Section("other")
	_, noDict := test.Section("none")
	_, noList := root.Sections("data")
	_, noDicts := test.Sections("bad")
	_, missingList := test.Sections("other")
	wrapped := errors.New("inner")
	for _, e := range []struct {
		err  error
		want string
	}{
		{missing, "data.test.other: missing (there is pipeline, bad, none)"},
		{noDict, "data.test.none: want a dict, got None"},
		{noList, "data: want a list of dicts, got {'test': {"},
		{noDicts, "data.test.bad.1: want a dict, got 3"},
		{missingList, "data.test.other: missing"},
		{root.Errorf("", "no %s", "model"), "no model"},
		{root.Errorf("k", "%w", wrapped), "k: inner"},
		{test.Errorf("", "x"), "data.test: x"},
	} {
		if e.err == nil || !strings.HasPrefix(e.err.Error(), prefix+e.want) {
			t.Errorf("\n got %v\nwant %s", e.err, prefix+e.want)
		}
	}
	if !errors.Is(test.Errorf("k", "%w", wrapped), wrapped) {
		t.Error("Errorf does not wrap")
	}

	var zero Section // failed calls return it
	if zero.Has("a") || zero.Path() != "" || zero.Errorf("a", "x").Error() != `config "": a: x` {
		t.Error("the zero section holds something")
	}
	if err := zero.Decode(new(common)); err != nil {
		t.Error(err)
	}
}
