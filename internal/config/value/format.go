package value

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"repvgg/internal/python"
)

// Format formats v as Python's repr does: {'size': (256, -1), 'lr': 1e-05}.
func Format(v Value) string {
	var b strings.Builder
	format(&b, v)
	return b.String()
}

func format(b *strings.Builder, v Value) {
	switch v := v.(type) {
	case nil:
		b.WriteString("None")
	case bool:
		if v {
			b.WriteString("True")
		} else {
			b.WriteString("False")
		}
	case int64:
		b.WriteString(strconv.FormatInt(v, 10))
	case float64:
		b.WriteString(python.Float(v))
	case string:
		b.WriteString(python.String(v))
	case List:
		b.WriteByte('[')
		formatItems(b, v)
		b.WriteByte(']')
	case Tuple:
		b.WriteByte('(')
		formatItems(b, v)
		if len(v) == 1 {
			b.WriteByte(',')
		}
		b.WriteByte(')')
	case *Dict:
		b.WriteByte('{')
		for i, key := range v.Keys() {
			if i > 0 {
				b.WriteString(", ")
			}
			format(b, key)
			b.WriteString(": ")
			format(b, v.values[key])
		}
		b.WriteByte('}')
	default:
		fmt.Fprintf(b, "<%T>", v)
	}
}

func formatItems(b *strings.Builder, items []Value) {
	for i, item := range items {
		if i > 0 {
			b.WriteString(", ")
		}
		format(b, item)
	}
}

// Brief is Format, shortened to fit into an error message.
func Brief(v Value) string {
	const limit = 200
	s := Format(v)
	if len(s) <= limit {
		return s
	}
	cut := limit
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "..."
}
