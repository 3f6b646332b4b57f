// Package app has one function for each job of the program: convert, test,
// classify, export and measure networks. It combines the packages below it and
// knows nothing of the command line. The commands and the public package are thin
// wrappers around these functions.
package app

import (
	"fmt"

	"repvgg/internal/checkpoint"
	"repvgg/internal/recipe"
	"repvgg/internal/weights"
)

// Host receives what a job reports while it runs. Each function may be nil.
type Host struct {
	// Note is called with each thing that the user should know but that is not an
	// error.
	Note func(Note)
	// Progress is called at the start of a step that has total units of work. It
	// returns a function that counts n more of them as done, and one that ends the
	// count.
	Progress func(unit string, total int) (add func(n int), end func())
	// Inputs are files that the caller reads for the job. No output may replace one.
	Inputs []Input
}

// Note is something that the user should know but that is not an error.
type Note struct {
	// Topic lets a caller add how its own users can act on the note. Value is an
	// argument for that; most topics have none.
	Topic Topic
	Text  string
	Value string
}

// Topic is the subject of a Note.
type Topic uint8

const (
	// General notes need no action.
	General Topic = iota
	// EMAWeights is about EMA weights that a checkpoint holds in addition to the
	// trained ones.
	EMAWeights
	// OtherNames is about a checkpoint whose tensor names are another framework's than
	// those that are written. Value is the ID of the checkpoint's key map.
	OtherNames
	// Override is about an override that nothing reads.
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

// Source names a network and its weights.
type Source struct {
	// Config is a file or the name of a built-in config. Overrides change entries of
	// it: model.head.num_classes=10.
	Config    string
	Overrides []string
	// Checkpoint is a file of a form of the network. Choice says which of its state
	// dicts is meant, Ignore which of its tensors are left out (see weights.Open).
	Checkpoint string
	Choice     checkpoint.Choice
	Ignore     []string
}

// NoteRecipe passes on the warnings about a config, and the overrides that nothing
// has read. Call it after reading the parts of the config that the job uses.
func (h Host) NoteRecipe(r *recipe.Recipe) {
	for _, w := range r.Warnings() {
		h.note(General, "%s", w)
	}
	for _, override := range r.Unread() {
		h.note(Override, "override %s: nothing reads this key", override)
	}
}

// noteCheckpoint passes on the notes about a checkpoint, and reports which weights
// are used if it has EMA weights.
func (h Host) noteCheckpoint(c *checkpoint.File, choice checkpoint.Choice) {
	if c.Averages > 0 {
		h.note(EMAWeights, "%q also holds EMA weights (%d tensors), which are not used", c.Path, c.Averages)
	}
	if c.Averaged && choice == (checkpoint.Choice{}) {
		h.note(General, "%q holds only EMA weights (%s): they are used", c.Path, c.Key)
	}
	for _, n := range c.Notes() {
		h.note(General, "%s", n)
	}
}

// noteWeights is noteCheckpoint, and passes on which tensors were left out.
func (h Host) noteWeights(w *weights.Set, choice checkpoint.Choice) {
	h.noteCheckpoint(w.File, choice)
	for _, n := range w.Ignored {
		h.note(General, "%s", n)
	}
}
