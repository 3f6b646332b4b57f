// Package recipe says what configs mean: which network, which images to test it
// on, and what to do with them first. It alone knows the keys of configs. Each
// dialect, a way of writing configs, has a file of its own; a Recipe is the same
// for all of them.
//
// Two rules hold for every dialect. A key that is unknown is an error where the
// original's code refuses it too: in the network, the data set and the steps of
// the pipeline. An override that sets what nothing reads is no error, but is
// listed by Unread.
package recipe

import (
	"errors"
	"slices"
	"strings"

	"repvgg/internal/config"
	"repvgg/internal/dataset"
	"repvgg/internal/flops"
	"repvgg/internal/model"
	"repvgg/internal/preprocess"
)

// A Recipe is what a config asks for. Read reads the network. The other parts are
// read when they are asked for, so that nobody needs more of a config than they
// use. It is not safe for concurrent use.
type Recipe struct {
	// Path is that of the config's file.
	Path string
	// Network is the network in the form that the config asks for.
	Network *model.Plan
	// Arch is the name of the architecture, if the config gives it one: A0.
	Arch string

	config                   *config.Config
	dialect                  *dialect
	askedPipeline, askedData bool
}

// Data is what a config says of the images to test on.
type Data struct {
	Source dataset.Source
	// BatchSize is how many images run at a time, from 1 to MaxBatch.
	BatchSize int

	section config.Section // which describes the source
	// keys are the section's keys by the names of the source's fields.
	keys map[string]string
}

// Open opens the data set. Its errors name the place in the config.
func (d *Data) Open() (*dataset.Dataset, error) {
	set, err := dataset.Open(d.Source)
	if wrong, ok := errors.AsType[*dataset.SourceError](err); ok {
		return nil, d.section.Errorf(d.keys[wrong.Field], "%w", wrong.Err)
	}
	return set, err
}

// MaxBatch bounds the batch size: more gains nothing.
const MaxBatch = 1 << 16

// Load is Read of the config that config.Load finds.
func Load(name string, overrides []string) (*Recipe, error) {
	cfg, err := config.Load(name, overrides)
	if err != nil {
		return nil, err
	}
	return Read(cfg)
}

// Read reads the network of a config.
func Read(cfg *config.Config) (*Recipe, error) { return read(cfg, dialects) }

func read(cfg *config.Config, dialects []*dialect) (*Recipe, error) {
	i := slices.IndexFunc(dialects, func(d *dialect) bool { return d.detect(cfg) })
	r := &Recipe{Path: cfg.Path(), config: cfg, dialect: dialects[i]}
	var err error
	r.Network, r.Arch, err = r.dialect.network(cfg)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Pipeline is what images go through before the network.
func (r *Recipe) Pipeline() (*preprocess.Pipeline, error) {
	r.askedPipeline = true
	return r.dialect.pipeline(r.config)
}

// Data reads which images there are to test on. It opens nothing.
func (r *Recipe) Data() (*Data, error) {
	r.askedData = true
	return r.dialect.data(r.config)
}

// Details are what a printed tree of the network's modules shows beyond its plan.
func (r *Recipe) Details() (*flops.Details, error) { return r.dialect.details(r.config) }

// Warnings are what a user should know of the config, a line each.
func (r *Recipe) Warnings() []string { return r.config.Warnings() }

// Unread are the overrides that set what nothing has read, as they were given: they
// are likely misspelt. Since one list of overrides may serve several commands, those
// of the data set count only once Data was called, and those of anything else about
// images only once Data or Pipeline was.
func (r *Recipe) Unread() []string {
	if r.askedData {
		return r.config.Unread()
	}
	excused := r.dialect.images
	if r.askedPipeline {
		excused = r.dialect.dataset
	}
	return slices.DeleteFunc(r.config.Unread(), func(override string) bool { return strings.HasPrefix(override, excused+".") })
}
