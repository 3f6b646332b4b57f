package model

import (
	"slices"
	"strconv"
	"strings"

	"repvgg/internal/tensor"
)

// KeyMap is how a framework names the modules whose tensors a plan has.
type KeyMap struct {
	// ID is the word for it in flags; Owner is who names tensors so.
	ID, Owner string
	// Rules are tried in turn, then Common, those of modules that another framework
	// may name so too: they say nothing of whose names a file has.
	Rules, Common []Rule
}

// Rule pairs the path of a module in a plan with that in a framework's state
// dict. {} stands for a number that counts from 0, {1} for one that counts from 1;
// they are the same on both sides, in order:
//
//	{"backbone.stage_{1}.{}.branch_norm", "stages.{}.{}.identity"}
type Rule struct{ Plan, File string }

// ToPlan is the plan's name of a tensor with a framework's name, which is the
// module's path, a dot and a word. ok is false for a tensor that no rule has.
func (k *KeyMap) ToPlan(name string) (plan string, ok bool) {
	return k.translate(name, Rule.toPlan)
}

// Owns reports whether a name is one that only this framework gives.
func (k *KeyMap) Owns(name string) bool {
	_, ok := translate(name, k.Rules, Rule.toPlan)
	return ok
}

// ToFile is the framework's name of a tensor of a plan.
func (k *KeyMap) ToFile(name string) (file string, ok bool) {
	return k.translate(name, Rule.toFile)
}

// Specs are those of a plan's tensors with the framework's names; what no rule
// has keeps its name.
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

// placeholder finds the first {} or {1} of a pattern; first is what it counts
// from.
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

// match gives the numbers that stand for the placeholders of a pattern, counted
// from 0.
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
		if !fits || err != nil || n < first || strconv.Itoa(n) != rest[:digits] { // no 0 in front
			return nil, false
		}
		numbers = append(numbers, n-first)
		pattern, path = after, rest[digits:]
	}
}

// fill puts numbers in the places of a pattern.
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
