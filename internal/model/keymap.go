package model

import (
	"slices"
	"strconv"
	"strings"

	"repvgg/internal/tensor"
)

// KeyMap translates between the tensor names in a plan and those of a framework.
type KeyMap struct {
	// ID is the word for the key map in flags. Owner describes the framework.
	ID, Owner string
	// Rules are tried in order, and then Common. Common has the rules for names that
	// other frameworks may use too. They do not identify the framework of a file.
	Rules, Common []Rule
}

// Rule pairs the path of a module in a plan with its path in a framework's state
// dict. {} is a number that counts from 0, and {1} a number that counts from 1. The
// numbers are in the same order on both sides:
//
//	{"backbone.stage_{1}.{}.branch_norm", "stages.{}.{}.identity"}
type Rule struct{ Plan, File string }

// ToPlan translates a framework's name of a tensor, which is the module's path, a
// dot and a word, to the plan's. ok is false if no rule matches.
func (k *KeyMap) ToPlan(name string) (plan string, ok bool) {
	return k.translate(name, Rule.toPlan)
}

// Owns reports whether only this framework uses the name.
func (k *KeyMap) Owns(name string) bool {
	_, ok := translate(name, k.Rules, Rule.toPlan)
	return ok
}

// ToFile translates a plan's name of a tensor to the framework's. ok is false if no
// rule matches.
func (k *KeyMap) ToFile(name string) (file string, ok bool) {
	return k.translate(name, Rule.toFile)
}

// Specs returns the specs with the framework's names. A tensor that no rule matches
// keeps its name.
func (k *KeyMap) Specs(specs []tensor.Spec) []tensor.Spec {
	named := slices.Clone(specs)
	for i := range named {
		if name, ok := k.ToFile(named[i].Name); ok {
			named[i].Name = name
		}
	}
	return named
}

func (r Rule) toPlan() (from, to string) { return r.File, r.Plan }

func (r Rule) toFile() (from, to string) { return r.Plan, r.File }

func (k *KeyMap) translate(name string, sides func(Rule) (from, to string)) (string, bool) {
	if to, ok := translate(name, k.Rules, sides); ok {
		return to, true
	}
	return translate(name, k.Common, sides)
}

func translate(name string, rules []Rule, sides func(Rule) (from, to string)) (string, bool) {
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 {
		return name, false
	}
	for _, r := range rules {
		from, to := sides(r)
		if numbers, ok := match(from, name[:dot]); ok {
			return fill(to, numbers) + name[dot:], true
		}
	}
	return name, false
}

// placeholder finds the first {} or {1} in a pattern. first is the number from
// which it counts.
func placeholder(pattern string) (before, after string, first int, ok bool) {
	before, rest, found := strings.Cut(pattern, "{")
	if !found {
		return pattern, "", 0, false
	}
	inside, after, _ := strings.Cut(rest, "}")
	if inside == "1" {
		first = 1
	}
	return before, after, first, true
}

// match returns the numbers at a pattern's placeholders, counted from 0. ok is
// false if the path does not match.
func match(pattern, path string) (numbers []int, ok bool) {
	for {
		before, after, first, more := placeholder(pattern)
		if !more {
			return numbers, path == pattern
		}
		rest, fits := strings.CutPrefix(path, before)
		digits := 0
		for digits < len(rest) && '0' <= rest[digits] && rest[digits] <= '9' {
			digits++
		}
		n, err := strconv.Atoi(rest[:digits])
		if !fits || err != nil || n < first || strconv.Itoa(n) != rest[:digits] { // no leading 0
			return nil, false
		}
		numbers = append(numbers, n-first)
		pattern, path = after, rest[digits:]
	}
}

// fill replaces a pattern's placeholders with numbers.
func fill(pattern string, numbers []int) string {
	var b strings.Builder
	for _, n := range numbers {
		before, after, first, _ := placeholder(pattern)
		b.WriteString(before)
		b.WriteString(strconv.Itoa(n + first))
		pattern = after
	}
	b.WriteString(pattern)
	return b.String()
}
