package starlark

import "strings"

// keepEscapes doubles the backslash of unknown escapes such as '\d' and '\.'.
// Python keeps them as they are, but in Starlark they are errors. Behind such an
// escape, columns in error messages refer to the returned text.
func keepEscapes(source string) string {
	if !strings.Contains(source, `\`) {
		return source
	}
	var b strings.Builder
	s := pyScanner{src: source, line: 1, col: 1}
	for s.src != "" {
		rest, tokens := s.src, len(s.tokens)
		s.next()
		part := rest[:len(rest)-len(s.src)]
		// Only a literal without a prefix: r'\d' is valid, and f'', u'' and b'' can't be
		// values.
		if len(s.tokens) > tokens && s.tokens[tokens].kind == stringToken && strings.ContainsAny(part[:1], `'"`) {
			part = keepInLiteral(part)
		}
		b.WriteString(part)
	}
	return b.String()
}

// escapes are the characters that have a meaning after a backslash. Starlark does
// not support \N and reports it.
const escapes = "\n\r\\'\"abfnrtvxuUN01234567"

func keepInLiteral(literal string) string {
	var b strings.Builder
	for i := 0; i < len(literal); i++ {
		b.WriteByte(literal[i])
		if literal[i] != '\\' || i+1 == len(literal) {
			continue
		}
		i++
		if strings.IndexByte(escapes, literal[i]) < 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(literal[i])
	}
	return b.String()
}
