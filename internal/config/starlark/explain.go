package starlark

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.starlark.net/resolve"
	"go.starlark.net/syntax"
)

// advice is the end of messages about Python features that a config can't use.
const advice = "write it as literal values, or dump the resolved config with the original's " +
	"tools/misc/print_config.py, or convert it to YAML or JSON"

// explain improves an error of Starlark's parser or resolver: if the cause is a
// Python construct that configs can't use, the error names it.
func explain(name, source string, err error) error {
	pos, msg := syntax.Position{}, err.Error()
	var parseErr syntax.Error
	var resolveErrs resolve.ErrorList
	switch {
	case errors.As(err, &parseErr):
		pos, msg = parseErr.Pos, parseErr.Msg
	case errors.As(err, &resolveErrs) && len(resolveErrs) > 0:
		pos, msg = resolveErrs[0].Pos, resolveErrs[0].Msg
	}
	if pos.Line == 0 {
		return &Error{name, errors.New(msg)}
	}
	c := newClue(source, pos, msg)
	if explained := c.explain(); explained != "" {
		msg = explained
	}
	place := fmt.Sprintf("%s:%d:%d", name, c.line, c.col)
	return &Error{place, errors.New(msg)}
}

// A clue is what is known about an error: the message, and the tokens around its
// place.
type clue struct {
	msg       string
	line, col int
	tokens    []pyToken
	at        int // index of the token that the message is about, or -1
	first     int // index of the first token of its logical line
}

// newClue finds the token at pos. Starlark reports the start of an operator or a
// keyword, but the end of a literal or a name.
func newClue(source string, pos syntax.Position, msg string) *clue {
	c := &clue{msg: msg, line: int(pos.Line), col: int(pos.Col), tokens: pyTokens(source), at: -1}
	for i, tok := range c.tokens {
		if tok.line > c.line || tok.line == c.line && tok.col > c.col {
			break
		}
		c.at = i
	}
	kind, byEnd := stringToken, true
	switch {
	case strings.HasPrefix(msg, "got string literal"):
	case strings.HasPrefix(msg, "got identifier"):
		kind = nameToken
	case strings.HasPrefix(msg, "got int literal"), strings.HasPrefix(msg, "got float literal"):
		kind = numberToken
	default:
		byEnd = false
	}
	if byEnd {
		for c.at > 0 && c.tokens[c.at].kind != kind && c.tokens[c.at].kind != numberToken {
			c.at--
		}
	}
	if strings.HasPrefix(msg, "got '**'") && c.tok(0).text != "**" && c.tok(-1).text == "**" {
		c.at-- // for this operator, Starlark reports the end
	}
	if c.at >= 0 && c.tokens[c.at].kind != newlineToken {
		c.line, c.col = c.tokens[c.at].line, c.tokens[c.at].col
	}
	c.first = max(c.at, 0)
	for c.first > 0 && c.tokens[c.first-1].kind != newlineToken {
		c.first--
	}
	return c
}

// tok returns the i-th token after the one at the error, or an empty one.
func (c *clue) tok(i int) pyToken {
	if i += c.at; c.at < 0 || i < 0 || i >= len(c.tokens) {
		return pyToken{kind: newlineToken}
	}
	return c.tokens[i]
}

// before returns the last token before the one at the error, skipping line ends.
func (c *clue) before() pyToken {
	for i := -1; c.at+i >= 0; i-- {
		if t := c.tok(i); t.kind != newlineToken {
			return t
		}
	}
	return pyToken{kind: newlineToken}
}

// has reports whether the logical line contains a name or an operator.
func (c *clue) has(text string) bool {
	for _, t := range c.tokens[min(c.first, len(c.tokens)):] {
		if t.kind == newlineToken {
			return false
		}
		if t.text == text && t.kind != stringToken {
			return true
		}
	}
	return false
}

// statements are the keywords of statements that a config can't contain.
var statements = map[string]string{
	"import": "an import", "from": "an import", "class": "a class", "try": "a try", "except": "a try",
	"finally": "a try", "with": "a with", "async": "an async", "await": "an await", "yield": "a yield",
	"del": "a del", "assert": "an assert", "raise": "a raise", "global": "a global", "nonlocal": "a nonlocal",
}

func (c *clue) explain() string {
	if name, ok := strings.CutPrefix(c.msg, "undefined: "); ok {
		return c.explainUndefined(name)
	}
	if strings.HasSuffix(c.msg, "does not support sets") {
		return c.explainUndefined("set")
	}
	if strings.HasPrefix(c.msg, "got indent") {
		return "unexpected indent"
	}
	var first pyToken
	if c.first < len(c.tokens) {
		first = c.tokens[c.first]
	}
	this := c.tok(0)
	for _, t := range []pyToken{first, this} {
		if word, ok := statements[t.text]; ok && t.kind == nameToken {
			return lacks(word + " statement")
		}
	}
	switch {
	case first.text == "@" || this.text == "@" && c.at == c.first:
		return lacks("a decorator")
	case this.kind == stringToken && strings.HasPrefix(c.msg, "got string literal"):
		return c.explainString(this)
	case this.kind == numberToken && strings.Contains(this.text, "_"):
		return fmt.Sprintf("digits of a number cannot be grouped with _ here: write %s", strings.ReplaceAll(this.text, "_", ""))
	case this.kind == numberToken && strings.ContainsAny(this.text, "jJ"):
		return lacks("a complex number")
	case this.text == "**" && slices.Contains([]string{"{", ","}, c.before().text):
		return "a dict cannot be unpacked inside braces here: write dict(a, **b) for {**a, **b}"
	case this.text == "**":
		return "the power operator ** is not available in a config: write the number out"
	case this.text == "*":
		return "a list cannot be unpacked inside brackets here: write a + b for [*a, *b]"
	case this.text == ":=" || c.has(":="):
		return lacks("an assignment expression (:=)")
	case this.text == "is" || c.has("is"):
		return "the operator is is not available in a config: compare with == or !="
	case strings.HasSuffix(c.msg, "want ':'") && (this.text == "," || this.text == "}" || this.text == "for"):
		return "a set cannot be a config value: write a list, [a, b], for {a, b}"
	case strings.Contains(c.msg, "does not associate"):
		return "comparisons cannot be chained here: write a < b and b < c"
	case this.text == "for":
		return "a generator expression is not available in a config: put it in brackets, [x for x in y]"
	case this.text == ":" && (first.text == "def" || c.at == c.first+1):
		return lacks("a type annotation")
	case this.text == "->":
		return lacks("a type annotation")
	case this.text == "=" && strings.HasSuffix(c.msg, "want newline"):
		return "assignments cannot be chained here: write one per line"
	case this.text == "...":
		return lacks("an ellipsis (...)")
	case this.text == "else" && c.at == c.first:
		return "an else without its if (a loop cannot have one in a config)"
	}
	return ""
}

// explainString explains a misplaced string literal.
func (c *clue) explainString(t pyToken) string {
	prefix := strings.ToLower(t.text[:strings.IndexAny(t.text, `'"`)])
	switch {
	case strings.Contains(prefix, "f"):
		return lacks("an f-string")
	case strings.Contains(prefix, "u"):
		return "a string needs no u prefix: write 'a' for u'a'"
	case c.before().kind == stringToken:
		return "adjacent strings are not joined in a config: write 'a' + 'b' for 'a' 'b' (or add the missing comma)"
	case c.before().text == "print":
		return "print is not a statement: delete it"
	}
	return ""
}

// explainUndefined explains an undefined name.
func (c *clue) explainUndefined(name string) string {
	switch {
	case name == "__file__":
		return lacks("__file__") + "; {{ fileDirname }} and {{ fileBasename }} stand for parts of the file's name"
	case name == "set" || name == "frozenset":
		return "a set cannot be a config value: write a list, [a, b], for " + name + "((a, b))"
	case c.tok(1).text == ".":
		return lacks("a Python module, and perhaps this " + name + " is one: it")
	case pythonOnly[name]:
		return lacks("Python's " + name + "()")
	}
	return "undefined: " + name
}

// pythonOnly are Python functions that Starlark lacks.
var pythonOnly = map[string]bool{
	"__import__": true, "callable": true, "complex": true, "delattr": true, "divmod": true, "eval": true,
	"exec": true, "filter": true, "format": true, "globals": true, "input": true, "isinstance": true,
	"issubclass": true, "iter": true, "locals": true, "map": true, "next": true, "object": true, "open": true,
	"pow": true, "setattr": true, "slice": true, "super": true, "vars": true,
}

func lacks(what string) string {
	return what + " is not available in a config: " + advice
}
