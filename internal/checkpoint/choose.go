package checkpoint

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Choice says which of a file's state dicts is wanted; the zero value leaves it to
// the file.
type Choice struct {
	// Averaged asks for the averaged weights of a training run, under AverageKeys or
	// keys like them.
	Averaged bool
	// Key, unless empty, is that of the state dict, as File.Key has it.
	Key string
}

// AmbiguousError is a file with several state dicts, none of which is likelier than
// the others to be meant.
type AmbiguousError struct{ parts []*part }

func (e *AmbiguousError) Error() string {
	return "it holds several state dicts, and it is not clear which one is meant: " + list(e.parts)
}

// stateKeys are where a checkpoint has its state dict: mmcv's key, and the
// official code's. They come before any other.
var stateKeys = []string{"state_dict", "model"}

// AverageKeys are where training runs keep averaged weights: timm's, and the
// official code's. They, and others that speak of averages, are read if asked
// for, or for want of others.
var AverageKeys = []string{"state_dict_ema", "model_ema", "ema"}

// averageWords are the parts of such keys: ema_state_dict, swa_model.
var averageWords = []string{"ema", "swa", "avg", "averaged", "average", "shadow"}

// otherWords begin the keys of what has tensors but no network.
var otherWords = []string{"optim", "optimizer", "optimizers", "opt", "scheduler", "schedulers", "lr", "scaler", "amp", "rng", "loss", "criterion"}

func (p *part) key() string { return strings.Join(p.path, ".") }

// about tells whether a key on the way to the part has one of these words, or
// begins with one.
func (p *part) about(words []string, first bool) bool {
	return slices.ContainsFunc(p.path, func(key string) bool {
		all := strings.FieldsFunc(strings.ToLower(key), func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) })
		if first {
			all = all[:min(len(all), 1)]
		}
		return slices.ContainsFunc(all, func(w string) bool { return slices.Contains(words, w) })
	})
}

func (p *part) averaged() bool { return p.about(averageWords, false) }

// rank says how well the part's key fits a network's state dict: the lower, the
// better.
func (p *part) rank() int {
	switch {
	case len(p.path) == 0:
		return len(stateKeys)
	case slices.Contains(stateKeys, p.path[0]):
		return slices.Index(stateKeys, p.path[0])
	}
	return len(stateKeys) + 1
}

var errNoAverages = fmt.Errorf("it holds no averaged weights under %s or a key like them", strings.Join(AverageKeys, ", "))

// choose gives the part that is wanted; nil if there is none.
func (s *search) choose(want Choice) (*part, error) {
	if want.Key != "" {
		for _, p := range s.parts {
			if p.key() == want.Key {
				return p, nil
			}
		}
		return nil, fmt.Errorf("it holds no state dict under %.80q; there are %s", want.Key, list(s.parts))
	}
	var plain, averaged []*part
	for _, p := range s.parts {
		switch {
		case p.averaged():
			averaged = append(averaged, p)
		case !p.about(otherWords, true):
			plain = append(plain, p)
		}
	}
	if want.Averaged {
		if len(averaged) == 0 {
			return nil, errNoAverages
		}
		plain = nil
	}
	from := plain
	if len(plain) == 0 {
		from = averaged
	}
	best := bestOf(from)
	if len(best) > 1 {
		return nil, &AmbiguousError{best}
	}
	if len(best) == 0 {
		return nil, nil
	}
	return best[0], nil
}

// bestOf gives the part that is most likely to be the network's state dict, or
// all of those that are equally likely.
func bestOf(parts []*part) []*part {
	var best []*part
	for _, p := range parts {
		switch order := compare(p, best); {
		case order < 0:
			best = []*part{p}
		case order == 0 && !slices.ContainsFunc(best, func(b *part) bool { return sameEntries(b, p) }):
			best = append(best, p)
		}
	}
	return best
}

// compare is negative if p is more likely than the best so far.
func compare(p *part, best []*part) int {
	if len(best) == 0 {
		return -1
	}
	b := best[0]
	for _, better := range []func(*part) bool{
		func(p *part) bool { return len(p.path) == 1 && p.rank() < len(stateKeys) },
		func(p *part) bool { return p.dotted },
	} {
		switch {
		case better(p) && !better(b):
			return -1
		case better(b) && !better(p):
			return 1
		}
	}
	if order := p.rank() - b.rank(); order != 0 {
		return order
	}
	if p.averaged() {
		if order := averageRank(p) - averageRank(b); order != 0 {
			return order
		}
	}
	return len(p.path) - len(b.path)
}

// averageRank is the place of the part's key among AverageKeys.
func averageRank(p *part) int {
	if len(p.path) > 0 {
		if i := slices.Index(AverageKeys, p.path[0]); i >= 0 {
			return i
		}
	}
	return len(AverageKeys)
}

// sameEntries tells a part that stands in the file under two keys.
func sameEntries(a, b *part) bool {
	return len(a.entries) > 0 && len(b.entries) > 0 && &a.entries[0] == &b.entries[0]
}

// list names parts for a message.
func list(parts []*part) string {
	const most = 8
	if len(parts) == 0 {
		return "none"
	}
	var names []string
	for _, p := range parts[:min(len(parts), most)] {
		key := "the file itself"
		if len(p.path) > 0 {
			key = fmt.Sprintf("%.80q", p.key())
		}
		names = append(names, fmt.Sprintf("%s (%d tensors)", key, p.tensors))
	}
	if more := len(parts) - most; more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}
