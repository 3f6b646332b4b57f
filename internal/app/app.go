// Package app is what the program does, as functions: convert, test, classify,
// export and measure networks. It joins the packages below it into whole jobs and
// knows no command line. A command of the program, and the public package, is a
// thin face of one of these functions.
package app

import (
	"fmt"
	"slices"

	"repvgg/internal/checkpoint"
	"repvgg/internal/recipe"
	"repvgg/internal/weights"
)

// Host is whom a job talks to while it works. Functions may be nil.
type Host struct {
	// Note is told what is worth knowing and no failure.
	Note func(Note)
	// Progress starts to count so many pieces of work. It gives a function that
	// counts n more of them, and one that ends the counting.
	Progress func(unit string, total int) (add func(n int), end func())
}

// Note is something worth knowing that is no failure.
type Note struct {
	// Topic lets a caller add how its own users can act on it, by Value if it has one.
	Topic Topic
	Text  string
	Value string
}

// Topic is what a Note is about.
type Topic uint8

const (
	// General needs no action.
	General Topic = iota
	// Averages are EMA weights that a checkpoint holds beside others.
	Averages
	// OtherNames are tensor names of another framework than those that are written;
	// Value is the ID of its key map.
	OtherNames
	// Override is an entry of the config that nothing reads.
	Override
)

func (h Host) note(topic Topic, format string, args ...any) {
	if h.Note != nil {
		h.Note(Note{Topic: topic, Text: fmt.Sprintf(format, args...)})
	}
}

func (h Host) progress(unit string, total int) (add func(n int), end func()) {
	if h.Progress == nil {
		return func(int) {}, func() {}
	}
	return h.Progress(unit, total)
}

// Source is a network with its weights.
type Source struct {
	// Config is a file, or the name of a built-in config. Overrides are entries of it:
	// model.head.num_classes=10.
	Config    string
	Overrides []string
	// Checkpoint is a file of a form of the network. EMA takes the averaged weights
	// that the training run kept in it.
	Checkpoint string
	EMA        bool
}

// NoteRecipe passes on what is worth knowing of a config, once the parts of it that
// a job uses were read.
func (h Host) NoteRecipe(r *recipe.Recipe) {
	for _, w := range r.Warnings() {
		h.note(General, "%s", w)
	}
	for _, override := range r.Unread() {
		h.note(Override, "override %s: nothing reads this key", override)
	}
}

// noteWeights passes on what becomes of averaged weights.
func (h Host) noteWeights(w *weights.Set, ema bool) {
	if n := w.File.Averages; n > 0 {
		h.note(Averages, "%q also holds %d averaged tensors, which are left out", w.File.Path, n)
	}
	if slices.Contains(checkpoint.AverageKeys, w.File.Key) && !ema {
		h.note(General, "%q holds averaged weights only (%s): they are used", w.File.Path, w.File.Key)
	}
}
