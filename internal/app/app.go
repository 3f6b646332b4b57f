// Package app is what the program does, as functions: convert, test, classify,
// export and measure networks. It joins the packages below it into whole jobs and
// knows no command line. A command of the program, and the public package, is a
// thin face of one of these functions.
package app

import (
	"fmt"

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
	// Inputs are files that the caller reads for the job. No output may replace one.
	Inputs []Input
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
	// Checkpoint is a file of a form of the network. Choice says which of its state
	// dicts is meant, Ignore which of its tensors are left out (see weights.Open).
	Checkpoint string
	Choice     checkpoint.Choice
	Ignore     []string
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

// NoteCheckpoint passes on what is worth knowing of a checkpoint, and what becomes
// of averaged weights.
func (h Host) NoteCheckpoint(c *checkpoint.File, choice checkpoint.Choice) {
	if c.Averages > 0 {
		h.note(Averages, "%q also holds %d averaged tensors, which are left out", c.Path, c.Averages)
	}
	if c.Averaged && choice == (checkpoint.Choice{}) {
		h.note(General, "%q holds averaged weights only (%s): they are used", c.Path, c.Key)
	}
	for _, n := range c.Notes() {
		h.note(General, "%s", n)
	}
}

// noteWeights is NoteCheckpoint, and passes on which tensors were left out.
func (h Host) noteWeights(w *weights.Set, choice checkpoint.Choice) {
	h.NoteCheckpoint(w.File, choice)
	for _, n := range w.Ignored {
		h.note(General, "%s", n)
	}
}
