package config

import (
	"strings"
	"testing"

	"repvgg/internal/config/value"
)

func TestPlainValues(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"a.yaml", "b: 1\na: {x: [1, -2.5, 1e-3, .inf, 0x10], y: null, z: ~}\nc: 'yes'\nd: yes\ne: Off\nf: \"1\"\n2: 4",
			"{'b': 1, 'a': {'x': [1, -2.5, 0.001, inf, 16], 'y': None, 'z': None}, 'c': 'yes', 'd': True, 'e': False, 'f': '1', 2: 4}"},
		{"a.yml", "size: !!python/tuple\n- 224\n- -1\nwhen: 2020-01-02\nlines: |\n  a\n  b\n", `{'size': (224, -1), 'when': '2020-01-02', 'lines': 'a\nb\n'}`},
		{"a.yml", "x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3}\nz: [*x]\nw: {<<: [{a: 5}, *x]}",
			"{'x': {'a': 1, 'b': 2}, 'y': {'b': 3, 'a': 1}, 'z': [{'a': 1, 'b': 2}], 'w': {'a': 5, 'b': 2}}"},
		{"a.yml", "", "{}"},
		{"a.yml", "# nothing\n---\n", "{}"},
		{"a.json", `{"b": 1, "a": {"x": [1, -2.5, 1e-3, 1E2], "y": null, "t": true}, "u": "é\u00e9"}`,
			"{'b': 1, 'a': {'x': [1, -2.5, 0.001, 100.0], 'y': None, 't': True}, 'u': 'éé'}"},
		{"a.json", "{}\n", "{}"},
	}
	for _, test := range tests {
		if got := value.Format(loadFiles(t, files{test.name: test.text}, test.name).root); got != test.want {
			t.Errorf("%s %q\n got %s\nwant %s", test.name, test.text, got, test.want)
		}
	}
}

func TestPlainErrors(t *testing.T) {
	bomb := "a: &a [x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c < 'l'; c++ {
		bomb += string(c) + ": &" + string(c) + " [" + strings.TrimSuffix(strings.Repeat("*"+string(c-1)+", ", 9), ", ") + "]\n"
	}
	tests := []struct{ name, text, want string }{
		{"a.yml", "a: [1", "a.yml: line 1: did not find expected ',' or ']'"},
		{"a.yml", "- 1", "a.yml: want a mapping of settings, got [1]"},
		{"a.yml", "a: 1\nb: 2\na: 3", "a.yml:3:1: duplicate key 'a'"},
		{"a.yml", "a: !!python/object:os.system x", "a.yml:1:4: tag !!python/object:os.system is not supported: use plain values, or !!python/tuple"},
		{"a.yml", "a: !thing [1]", "a.yml:1:4: tag !thing is not supported"},
		{"a.yml", "a: !!set {x}", "a.yml:1:4: tag !!set is not supported"},
		{"a.yml", "a: 1\n---\nb: 2", "a.yml: holds more than one YAML document"},
		{"a.yml", "a:\n  1.5: 2", "a.yml:2:3: a float cannot be a key"},
		{"a.yml", "a:\n  ? [x]\n  : 2", "a.yml:2:5: a list cannot be a key"},
		{"a.yml", "a: 99999999999999999999", "a.yml:1:4: integer 99999999999999999999 does not fit 64 bits"},
		{"a.yml", "a: {<<: 3}", "a.yml:1:5: << wants a mapping or a list of mappings, got 3"},
		{"a.yml", "a: &a [*a]", "values are nested deeper than 100 levels"},
		{"a.yml", bomb, "too many values"},
		{"a.yml", "a: " + strings.Repeat("[", 300) + strings.Repeat("]", 300), "values are nested deeper than 100 levels"},
		{"a.yml", "x: 1\ntext: 2", "a.yml:2:1: text is reserved for config file"},
		{"a.yml", "x: 1\n_base_: c.yml", `a.yml:2:1: _base_: file "c.yml" does not exist`},
		{"a.json", "", "a.json:1:1: unexpected end of JSON input"},
		{"a.json", "[1]", "a.json: want an object of settings, got [1]"},
		{"a.json", "{\"a\": 1,\n \"b\": [1,\n", "a.json:3:1: unexpected end of JSON input"},
		{"a.json", "{\"a\": 1,\n \"b\": x}", "a.json:2:7: invalid character 'x' looking for beginning of value"},
		{"a.json", "{\"a\": 1,\n \"a\": 2}", "a.json:2:4: duplicate key \"a\""},
		{"a.json", "{} {}", "a.json:1:4: invalid character '{' after top-level value"},
		{"a.json", `{"a": 99999999999999999999}`, "integer 99999999999999999999 is out of range"},
		{"a.json", `{"a": ` + strings.Repeat("[", 300) + strings.Repeat("]", 300) + "}", "values are nested deeper than 100 levels"},
		{"a.json", "{\"x\": 1,\n \"_base_\": \"c.yml\"}", `_base_: file "c.yml" does not exist`},
	}
	for _, test := range tests {
		got := loadError(t, files{test.name: test.text}, test.name)
		if !strings.Contains(got, test.want) {
			t.Errorf("%.80q\n got %.300s\nwant %s", test.text, got, test.want)
		}
	}
}
