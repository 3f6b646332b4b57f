// Package recipe interprets configs: it reads the network, the data set and the
// pipeline. It is the only package that knows the keys of configs. Each dialect,
// which is a way of writing configs, has its own files. A Recipe is the same for
// all dialects.
//
// Two rules hold for every dialect. An unknown key is an error where the original
// refuses it too: in the network, the data set and the steps of the pipeline. An
// override that nothing reads is not an error, but Unread lists it.
package recipe

import (
	"context"
	"errors"
	"slices"
	"strings"

	"repvgg/internal/config"
	"repvgg/internal/dataset"
	"repvgg/internal/flops"
	"repvgg/internal/model"
	"repvgg/internal/preprocess"
)

// A Recipe is an interpreted config. Read reads the network. The methods read the
// other parts when they are called, so that parts that are not used may be missing.
// A Recipe is not safe for concurrent use.
type Recipe struct {
	// Path is the path of the config file.
	Path string
	// Network is the network, in the config's form.
	Network *model.Plan
	// Arch is the name of the architecture, such as A0, if the config uses one.
	Arch string

	config                   *config.Config
	dialect                  *dialect
	askedPipeline, askedData bool
}

// Data describes the images to test on.
type Data struct {
	Source dataset.Source
	// BatchSize is the number of images in a batch, from 1 to MaxBatch.
	BatchSize int

	section config.Section // the section of the source
	// keys maps the names of the source's fields to the section's keys.
	keys map[string]string
}

// Open opens the data set. Its errors name the place in the config.
func (d *Data) Open(ctx context.Context) (*dataset.Dataset, error) {
	set, err := dataset.Open(ctx, d.Source)
	if wrong, ok := errors.AsType[*dataset.SourceError](err); ok {
		return nil, d.section.Errorf(d.keys[wrong.Field], "%w", wrong.Err)
	}
	return set, err
}

// MaxBatch bounds the batch size. Larger batches gain nothing.
const MaxBatch = 1 << 16

// Load loads a config with config.Load, and calls Read.
func Load(name string, overrides []string) (*Recipe, error) {
	cfg, err := config.Load(name, overrides)
	if err != nil {
		return nil, err
	}
	return Read(cfg)
}

// Read interprets a config and reads its network.
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

// Pipeline reads the transforms of the images before the network.
func (r *Recipe) Pipeline() (*preprocess.Pipeline, error) {
	r.askedPipeline = true
	return r.dialect.pipeline(r.config)
}

// Data reads the description of the data set. It opens no file.
func (r *Recipe) Data() (*Data, error) {
	r.askedData = true
	return r.dialect.data(r.config)
}

// Details reads the properties that a printed tree of modules shows in addition to
// the plan.
func (r *Recipe) Details() (*flops.Details, error) { return r.dialect.details(r.config) }

// Files are the paths of the files that the config was read from.
func (r *Recipe) Files() []string { return r.config.Files() }

// Warnings are what a user should know of the config, a line each.
func (r *Recipe) Warnings() []string { return r.config.Warnings() }

// Unread returns the overrides, as given, that nothing has read: they are probably
// misspelt. One list of overrides may serve several commands. Therefore an override
// of the data set counts only if Data was called, and any other override about
// images only if Data or Pipeline was called.
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
