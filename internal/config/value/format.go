package value

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"repvgg/internal/python"
)

// Format formats v as Python's repr does: {'size': (256, -1), 'lr': 1e-05}.
func Format(v Value) string {
	var b strings.Builder
	formatter{&b, math.MaxInt}.value(v)
	return b.String()
}

// Brief is Format cut to a length that fits an error line. It looks at no more of v.
func Brief(v Value) string {
	const limit = 200
	var b strings.Builder
	formatter{&b, limit}.value(v)
	s := b.String()
	if len(s) <= limit {
		return s
	}
	cut := limit
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "..."
}

// formatter writes values until it has written more than most bytes.
type formatter struct {
	*strings.Builder
	most int
}

func (f formatter) full() bool { return f.Len() > f.most }

func (f formatter) value(v Value) {
	switch v := v.(type) {
	case nil:
		f.WriteString("None")
	case bool:
		if v {
			f.WriteString("True")
		} else {
			f.WriteString("False")
		}
	case int64:
		f.WriteString(strconv.FormatInt(v, 10))
	case float64:
		f.WriteString(python.Float(v))
	case string:
		if len(v)-utf8.UTFMax > f.most { // of which the end is not shown
			v = v[:f.most+utf8.UTFMax]
		}
		f.WriteString(python.String(v))
	case List:
		f.WriteByte('[')
		f.items(v)
		f.WriteByte(']')
	case Tuple:
		f.WriteByte('(')
		f.items(v)
		if len(v) == 1 {
			f.WriteByte(',')
		}
		f.WriteByte(')')
	case *Dict:
		f.WriteByte('{')
		for i, key := range v.Keys() {
			if f.full() {
				return
			}
			if i > 0 {
				f.WriteString(", ")
			}
			f.value(key)
			f.WriteString(": ")
			f.value(v.values[key])
		}
		f.WriteByte('}')
	default:
		fmt.Fprintf(f, "<%T>", v)
	}
}

func (f formatter) items(items []Value) {
	for i, item := range items {
		if f.full() {
			return
		}
		if i > 0 {
			f.WriteString(", ")
		}
		f.value(item)
	}
}
