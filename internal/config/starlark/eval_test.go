package starlark

import (
	"errors"
	"strings"
	"testing"
	"time"

	"go.starlark.net/starlark"

	"repvgg/internal/config/value"
)

// The wanted values are what Python 3 gives for the same text.
func TestPythonValues(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", "{}"},
		{"a = 1\r\nb = 2\r\n", "{'a': 1, 'b': 2}"},
		{"b = 1\na = 2\nb = 3", "{'b': 3, 'a': 2}"},
		{"a = dict(x=1, **dict(y=2))\nb = {'k': None, 3: 'int key'}", "{'a': {'x': 1, 'y': 2}, 'b': {'k': None, 3: 'int key'}}"},
		{"n = dict(m=1, s=2)\na = dict(type='N', **n, to_rgb=True)\nb = dict(x=0, **n, **dict(k=3), y=4)",
			"{'n': {'m': 1, 's': 2}, 'a': {'type': 'N', 'm': 1, 's': 2, 'to_rgb': True}, 'b': {'x': 0, 'm': 1, 's': 2, 'k': 3, 'y': 4}}"},
		{"def f(*a, **k): return [a, k]\na = f(1, *[2], **{'x': 3}, y=f(**{'p': 1}, q=2))", "{'a': [(1, 2), {'x': 3, 'y': [(), {'p': 1, 'q': 2}]}]}"},
		{`a = '\d+\.(jpg|png)$'` + "\n" + `b = "\é\\d\'"` + "\n" + `c = '''\s` + "\\\n" + `'\w'''` + "\n" + `d = r'\d' + '\x41\u0042\103'  # \d isn't one`,
			`{'a': '\\d+\\.(jpg|png)$', 'b': "\\é\\d'", 'c': "\\s'\\w", 'd': '\\dABC'}`},
		{"a = [str(i) for i in range(3)]\nb = {i: i * i for i in range(2)}", "{'a': ['0', '1', '2'], 'b': {0: 0, 1: 1}}"},
		{"a = 7 / 2\nb = 7 // 2\nc = -7 // 2\nd = -7 % 3\ne = 2 * 3.0", "{'a': 3.5, 'b': 3, 'c': -4, 'd': 2, 'e': 6.0}"},
		{"a = [round(x) for x in (0.5, 1.5, 2.5, -0.5, -1.5, 2.6)]", "{'a': [0, 2, 2, 0, -2, 3]}"},
		{"a = [round(2.675, 2), round(2.5, 0), round(0.125, 2), round(1234.5, -2), round(1e300, 1)]", "{'a': [2.67, 2.0, 0.12, 1200.0, 1e+300]}"},
		{"a = [round(15, -1), round(25, -1), round(-15, -1), round(-14, -1), round(7), round(7, 2), round(5, -9), round(True)]", "{'a': [20, 20, -20, -10, 7, 7, 0, 1]}"},
		{"a = 5\na += 2\na *= 3\nb = [1]\nc = b\nb += [2]\nd = 'x'\nd += 'y'\ne = [1, 2]\ne[-1] += 5", "{'a': 21, 'b': [1, 2], 'c': [1, 2], 'd': 'xy', 'e': [1, 7]}"},
		{"a = {'n': 1}\na['n'] -= 3\na['n'] <<= 1", "{'a': {'n': -4}}"},
		{"if 1 < 2:\n    a = 1\nelse:\n    a = 2\nfor i in range(3):\n    a += i\nwhile a > 3:\n    a -= 2", "{'a': 2, 'i': 2}"},
		{"a = '{}-{name}'.format(1, name='b') + '%d%s' % (2, 'c') + 'ab'[1:] + '-'.join(['x', 'y'])", "{'a': '1-b2cbx-y'}"},
		{"a = [1, 2, 3][::2] + [0] * 2\nb = (1, ) + (2, )\nc = 'ab' * 2\nd = 2 * [1]", "{'a': [1, 3, 0, 0], 'b': (1, 2), 'c': 'abab', 'd': [1, 1]}"},
		{"f = lambda x, y=2: x * y\ndef g(*a, **k): return [a, k]\na = f(3)\nb = g(*[1, 2], **{'z': 3})", "{'a': 6, 'b': [(1, 2), {'z': 3}]}"},
		{"__hidden = 1\n_private = 2\nprint('x')\nfrom_ = sum([1, 2.5])", "{'_private': 2, 'from_': 3.5}"},
		{"a = dict(b=1)\nc = a.copy()\nc.update(d=2)\ne = a.get('x', 4)\nf = [1].copy()", "{'a': {'b': 1}, 'c': {'b': 1, 'd': 2}, 'e': 4, 'f': [1]}"},
		{"a = [1]\nb = [a, a]\na.append(2)", "{'a': [1, 2], 'b': [[1, 2], [1, 2]]}"},
		{"a = range(3)\nb, c = 1, (2, 3)\n(d, [e]) = (4, [5])", "{'a': [0, 1, 2], 'b': 1, 'c': (2, 3), 'd': 4, 'e': 5}"},
		{"a = True if None == None else False\nb = not a\nc = 1e-3\nd = 0x10\ne = r'\\d'\nf = '''x\ny'''", `{'a': True, 'b': False, 'c': 0.001, 'd': 16, 'e': '\\d', 'f': 'x\ny'}`},
		{"a = sorted([3, 1], key=lambda x: -x) + list((4,)) + [len('abc'), max(1, 2), int('5'), abs(-6)]", "{'a': [3, 1, 4, 3, 2, 5, 6]}"},
		{"a = 'a-b'.replace('-', '_').upper()\nb = 'a b'.split()\nc = hasattr(b, 'append')", "{'a': 'A_B', 'b': ['a', 'b'], 'c': True}"},
	}
	for _, test := range tests {
		file, err := Eval("a.py", test.text, new(value.Sizer))
		if err != nil {
			t.Errorf("%q: %v", test.text, err)
			continue
		}
		if got := value.Format(file.Values); got != test.want {
			t.Errorf("%q\n got %s\nwant %s", test.text, got, test.want)
		}
	}
}

// Every error starts with the place. The rest is checked as a prefix.
func TestPythonErrors(t *testing.T) {
	tests := []struct{ text, want string }{
		// Python that Starlark lacks.
		{"a = 1\nimport os", "2:1: an import statement is not available in a config: write it as literal values, or dump the resolved " +
			"config with the original's tools/misc/print_config.py, or convert it to YAML or JSON"},
		{"from os import path", "1:1: an import statement"},
		{"class A:\n  pass", "1:1: a class statement"},
		{"try:\n  a = 1\nexcept Exception:\n  pass", "1:1: a try statement"},
		{"with open('x') as f:\n  pass", "1:1: a with statement"},
		{"async def f(): pass", "1:1: an async statement"},
		{"del a", "1:1: a del statement"},
		{"a = 1\nassert a", "2:8: an assert statement"},
		{"raise ValueError", "1:1: a raise statement"},
		{"def f():\n  global a", "2:3: a global statement"},
		{"def f():\n  yield 1", "2:3: a yield statement"},
		{"@f\ndef g(): pass", "1:1: a decorator"},
		{"a = f'x{1}'", "1:5: an f-string is not available in a config"},
		{"a = dict(\n  b=1,\n  c=rf\"x{1}\")", "3:5: an f-string"},
		{"a = u'x'", "1:5: a string needs no u prefix"},
		{"a = 'x' 'y'", "1:9: adjacent strings are not joined in a config: write 'a' + 'b' for 'a' 'b' (or add the missing comma)"},
		{"a = ('x'\n     'y')", "2:6: adjacent strings"},
		{"a = dict(b='x'\n  'y', c=1)", "2:3: adjacent strings"},
		{"a = ['x', 'y'\n  'z']", "2:3: adjacent strings"},
		{"print 'x'", "1:7: print is not a statement"},
		{"a = {1, 2}", "1:7: a set cannot be a config value"},
		{"a = {1}", "1:7: a set cannot be a config value"},
		{"a = {x for x in [1]}", "1:8: a set cannot be a config value"},
		{"a = set([1])", "1:5: a set cannot be a config value: write a list, [a, b], for set((a, b))"},
		{"a = (b := 3)", "1:8: an assignment expression (:=)"},
		{"if (n := 3) > 2:\n  a = 1", "1:7: an assignment expression (:=)"},
		{"a = os.path.join('x', 'y')", "1:5: a Python module, and perhaps this os is one: it is not available in a config"},
		{"a = open('x')", "1:5: Python's open() is not available in a config"},
		{"a = __file__", "1:5: __file__ is not available in a config"},
		{"a = 10**6", "1:7: the power operator ** is not available in a config: write the number out"},
		{"a = [*b, 1]", "1:6: a list cannot be unpacked"},
		{"a = {**b}", "1:6: a dict cannot be unpacked inside braces here: write dict(a, **b) for {**a, **b}"},
		{"a = {'x': 1, **b}", "1:14: a dict cannot be unpacked"},
		{"a = 1 if b is None else 2", "1:7: the operator is is not available in a config: compare with == or !="},
		{"if b is not None:\n  a = 1", "1:6: the operator is"},
		{"a: int = 3", "1:2: a type annotation"},
		{"def f(a: int): return 1", "1:8: a type annotation"},
		{"a = 1_000", "1:5: digits of a number cannot be grouped with _ here: write 1000"},
		{"a = 1j", "1:5: a complex number"},
		{"a = 1 < 2 < 3", "1:11: comparisons cannot be chained"},
		{"a = sum(x for x in [1])", "1:11: a generator expression"},
		{"a = b = 1", "1:7: assignments cannot be chained"},
		{"a = ...", "1:5: an ellipsis"},
		{"for i in [1]:\n  pass\nelse:\n  pass", "3:1: an else without its if"},
		{"a = 1\n  b = 2", "2:3: unexpected indent"},
		// Ordinary mistakes keep Starlark's message.
		{"a = [1,\n", "2:1: got end of file, want ']'"},
		{"a = 'x\n", "1:5: unexpected newline in string"},
		{"a = foo", "1:5: undefined: foo"},
		{"a = dict(b=1, b=2)", "1:15: keyword argument \"b\" is repeated"},
		{"x = dict(b=1)\na = dict(**x, b=2)", "2:10: keyword argument \"b\" is repeated"},
		{"a = dict(**{'b': 1}, **{'b': 2})", "1:10: keyword argument \"b\" is repeated"},
		{"a = dict(**3, b=2)", "1:10: argument after ** must be a mapping, not int"},
		{"a = dict(**{1: 2}, b=2)", "1:9: keywords must be strings, not int"},
		{"a = dict(**{}, 1)", "1:16: positional argument may not follow **kwargs"},
		{"a = '\\N{DASH}'", "1:5: invalid escape sequence \\N"},
		{"a = {'b': 1, 'b': 2}", "1:17: duplicate key: \"b\""},
		{"x = dict(a=1)\na = x['b']", "2:6: key \"b\" not in dict"},
		{"def f(x):\n  return x / 0\na = f(1)", "2:12: floating-point division by zero"},
		{"a = 'x' + 1", "1:9: unknown binary op: string + int"},
		{"a = dict(b=1).b", "1:14: dict has no .b attribute"},
		{"load('b.py', 'c')", "1:1: load not implemented by this application"},
		{"fail('stop')", "1:5: fail: stop"},
		{"[1][0:1][0].x = 2", "1:12: can't assign to .x field of int"},
		// Objects that can't be config values.
		{"a = 1\nb = [dict(c=len)]", "2:1: b.0.c: a builtin_function_or_method cannot be a config value"},
		{"a = {1.5: 2}", "1:1: a: a float cannot be a key of a config: use a string or an int"},
		{"a = 99999999999999999999", "1:1: a: integer is out of range"},
		{"a = {99999999999999999999: 1}", "1:1: a: integer key is out of range"},
		{"a = b'x'", "1:1: a: a bytes cannot be a config value"},
		{"a = round('x')", "1:10: round: want a number, got a string"},
		{"a = round(float('nan'))", "1:10: round: cannot convert nan to an integer"},
		{"a = sum(['x'])", "1:8: sum: want numbers"},
	}
	for _, test := range tests {
		_, err := Eval("a.py", test.text, new(value.Sizer))
		var placed *Error
		if !errors.As(err, &placed) || !strings.HasPrefix(err.Error(), "a.py:"+test.want) {
			t.Errorf("%q\n got %v\nwant %s", test.text, err, test.want)
		}
	}
}

// Files that would use unlimited memory or time without the bounds.
func TestPythonBounds(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"endless loop", "while True: pass", "takes more than 1048576 steps"},
		{"doubling by assignment", "a = 'x' * 1000\nfor i in range(50): a += a", "too large"},
		{"doubling by addition", "a = [1]\nfor i in range(50): a = a + a", "too large"},
		{"doubling an element", "a = [[1]]\nfor i in range(50): a[0] += a[0]", "too large"},
		{"repeat of a string", "a = 'x' * (1 << 40)", "too large"},
		{"repeat of a list", "a = 1000000000 * [0]", "too large"},
		{"repeat by an endless count", "a = [0] * (1 << 200)", "too large"},
		{"many large strings", "a = [('x' * 100000) + str(i) for i in range(100000)]", "too large"},
		{"many slices", "b = [0] * 100000\na = [b[1:] for i in range(100000)]", "too large"},
		{"many copies", "b = [0] * 100000\na = [list(b) for i in range(100000)]", "too large"},
		{"many unpackings", "b = [0] * 100000\nf = lambda *x: x\na = [f(*b) for i in range(100000)]", "too large"},
		{"many keyword unpackings", "b = {str(i): 0 for i in range(1000)}\na = [dict(**b) for i in range(100000)]", "too large"},
		{"many joined unpackings", "b = {str(i): 0 for i in range(1000)}\na = [dict(**b, c=1) for i in range(100000)]", "too large"},
		{"long range", "a = list(range(1 << 40))", "too large"},
		{"replace", "a = ('x' * 100000).replace('x', 'y' * 100000)", "too large"},
		{"replace by getattr", "a = getattr('x' * 100000, 'replace')('x', 'y' * 100000)", "too large"},
		{"join", "a = ('x' * 100000).join(['y'] * 100000)", "too large"},
		{"format", "a = ('{0}' * 10000).format('x' * 10000)", "too large"},
		{"percent", "b = 'x' * 10000000\na = '%s%s' % (b, b)", "too large"},
		{"text of shared lists", "a = [1]\nfor i in range(60): a = [a, a]\nb = str(a)", "too large"},
		{"format of shared lists", "a = [1]\nfor i in range(60): a = [a, a]\nb = '{}'.format(a)", "too large"},
		{"values of shared lists", "a = [1]\nfor i in range(60): a = [a, a]", "too many values"},
		{"cyclic list", "a = []\na.append(a)", "nested deeper than 100 levels"},
		{"text of a cyclic list", "a = []\na.append(a)\nb = str(a)", "too large"},
		{"squaring", "a = 3\nfor i in range(60): a *= a", "too large"},
		{"shifting", "a = 1\nfor i in range(60): a = a << 500", "too large"},
		{"deep brackets", "a = " + strings.Repeat("[", 10000), "excessive nesting"},
		{"deep minus", "a = " + strings.Repeat("-", 1<<19) + "1", "excessive nesting"},
		{"long sum", "a = 1" + strings.Repeat("+1", 1<<18), "nested deeper than 1000 levels"},
		{"long chain of attributes", "a = b" + strings.Repeat(".c", 1<<18), "nested deeper than 1000 levels"},
		{"long chain of elif", "if 1: pass\n" + strings.Repeat("elif 1: pass\n", 1<<16), "nested deeper than 1000 levels"},
		{"computed target", "a = [1]\n[a][0][0] += 1", "the target of += must be a name or an element: write x = x + y"},
		{"recursion", "def f(): return f()\na = f()", "called recursively"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := Eval("a.py", test.text, new(value.Sizer)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %.300v\nwant %s", err, test.want)
			}
		})
	}
}

// A single long step is abandoned. (The work of hashing shared tuples doubles with
// each level. This one ends within the test.)
func TestPythonTimeLimit(t *testing.T) {
	text := "t = (1, )\nfor i in range(23): t = (t, t)\na = {t: 1}"
	_, program, err := starlark.SourceProgramOptions(pythonOptions, "a.py", text, starlark.StringDict{}.Has)
	if err != nil {
		t.Fatal(err)
	}
	_, err = runProgram(program, nil, time.Millisecond)
	if err == nil || err.Error() != "takes longer than 1ms to evaluate: write the values out" {
		t.Errorf("got %v", err)
	}
}
