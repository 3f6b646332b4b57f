package starlark

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// A pyToken is a token of Python, with what is needed to explain an error. Columns
// count runes from 1, as in Starlark's positions.
type pyToken struct {
	kind      tokenKind
	text      string
	line, col int
}

type tokenKind uint8

const (
	nameToken tokenKind = iota
	numberToken
	stringToken // with its prefix: f'..', rb"""..."""
	opToken
	newlineToken
)

// pyTokens splits Python source into tokens. It never fails: unknown text becomes
// an opToken.
func pyTokens(source string) []pyToken {
	s := pyScanner{src: source, line: 1, col: 1}
	for s.src != "" {
		s.next()
	}
	return s.tokens
}

type pyScanner struct {
	src       string
	line, col int
	tokens    []pyToken
}

// take consumes n bytes of the source, and adds them as a token if kind is not nil.
func (s *pyScanner) take(n int, kind *tokenKind) {
	part := s.src[:n]
	if kind != nil {
		s.tokens = append(s.tokens, pyToken{*kind, part, s.line, s.col})
	}
	s.src = s.src[n:]
	if i := strings.LastIndexByte(part, '\n'); i >= 0 {
		s.line += strings.Count(part, "\n")
		s.col = 1
		part = part[i+1:]
	}
	s.col += utf8.RuneCountInString(part)
}

func (s *pyScanner) token(n int, kind tokenKind) { s.take(n, &kind) }

func (s *pyScanner) next() {
	r, size := utf8.DecodeRuneInString(s.src)
	switch {
	case r == '\n':
		s.token(1, newlineToken)
	case r == '#':
		n := strings.IndexByte(s.src, '\n')
		if n < 0 {
			n = len(s.src)
		}
		s.take(n, nil)
	case r == '\'' || r == '"':
		s.token(quotedLen(s.src), stringToken)
	case r == '_' || unicode.IsLetter(r):
		n := strings.IndexFunc(s.src, func(r rune) bool {
			return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
		})
		if n < 0 {
			n = len(s.src)
		}
		if n <= 2 && n < len(s.src) && (s.src[n] == '\'' || s.src[n] == '"') && strings.Trim(s.src[:n], "rRbBuUfF") == "" {
			s.token(n+quotedLen(s.src[n:]), stringToken)
			return
		}
		s.token(n, nameToken)
	case '0' <= r && r <= '9':
		n := strings.IndexFunc(s.src, func(r rune) bool {
			return r != '_' && r != '.' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
		})
		if n < 0 {
			n = len(s.src)
		}
		s.token(n, numberToken)
	case unicode.IsSpace(r) || r == '\\':
		s.take(size, nil)
	default:
		for _, op := range []string{"...", "**", ":=", "->", "=="} {
			if strings.HasPrefix(s.src, op) {
				s.token(len(op), opToken)
				return
			}
		}
		s.token(size, opToken)
	}
}

// quotedLen returns the length of the string literal at the start of s, which
// starts with a quote. A literal that is not closed ends at the end of its line.
func quotedLen(s string) int {
	quote := s[:1]
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(s, triple) {
		quote = triple
	}
	for i := len(quote); i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case strings.HasPrefix(s[i:], quote):
			return i + len(quote)
		case s[i] == '\n' && len(quote) == 1:
			return i
		}
	}
	return len(s)
}
