package starlark

import "strings"

// keepEscapes doubles the backslashes of escapes that are none, '\d' and '\.': in
// Python they stand for themselves, in Starlark they are errors. The columns of
// places behind one on its line are those of the text that is returned.
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
		// A literal without a prefix: r'\d' is right, and f'', u'' and b'' are no values.
		if len(s.tokens) > tokens && s.tokens[tokens].kind == stringToken && strings.ContainsAny(part[:1], `'"`) {
			part = keepInLiteral(part)
		}
		b.WriteString(part)
	}
	return b.String()
}

// escapes are what means something after a backslash. N begins one that Starlark
// does not have: it says so.
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
