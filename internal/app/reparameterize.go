package app

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"repvgg/internal/checkpoint"
	"repvgg/internal/convert"
	"repvgg/internal/cpu"
	"repvgg/internal/engine"
	"repvgg/internal/model"
	"repvgg/internal/recipe"
	"repvgg/internal/tensor"
	"repvgg/internal/weights"
)

// Conversion describes a conversion: a training checkpoint, and the file to write
// the deploy weights to.
type Conversion struct {
	Source
	// Dst is the file to write. Its suffix is one of checkpoint.Suffixes.
	Dst string
	// Names is the ID of the key map for the tensor names of Dst. Empty means the first
	// key map of the network's family.
	Names string
	// Verify, unless nil, makes Reparameterize read the written file back and compare
	// it with the train form. It is called with each difference. The file is kept only
	// if all differences are within their tolerances; see convert.Verify.
	Verify func(convert.Difference)
	// Threads is the number of threads for the verification; 0 means all cores.
	Threads int
}

// Reparameterize fuses the branches of every block of a training checkpoint and
// writes the deploy weights. A failed run leaves no file.
func Reparameterize(ctx context.Context, c Conversion, h Host) error {
	if err := CheckSuffix(c.Dst); err != nil {
		return err
	}
	r, err := recipe.Load(c.Config, c.Overrides)
	if err != nil {
		return err
	}
	h.NoteRecipe(r)
	if r.Network.Form == model.Deploy {
		return fmt.Errorf("config %q describes the deploy form; give the train config, whose blocks have branches to fuse", c.Config)
	}
	if err := h.guard(r.Files(), c.Checkpoint).check(ctx, Output{"deploy weights", c.Dst}); err != nil {
		return err
	}
	keys, err := keyMap(r.Network, c.Names)
	if err != nil {
		return err
	}
	src, err := weights.OpenForm(c.Checkpoint, r.Network, c.Choice, c.Ignore...)
	if err != nil {
		return err
	}
	defer src.Close()
	h.noteWeights(src, c.Choice)
	if has := src.KeyMap; has != keys && c.Names == "" && h.Note != nil {
		h.Note(Note{OtherNames, fmt.Sprintf("%q has the tensor names of %s; the output gets those of %s", c.Checkpoint, has.Owner, keys.Owner), has.ID})
	}
	var check func(tmp string) error
	if c.Verify != nil {
		check = func(tmp string) error { return c.verify(ctx, src, tmp) }
	}
	return convert.WriteDeploy(ctx, src, c.Dst, keys, check)
}

// CheckSuffix returns an error if the suffix of dst is not that of a checkpoint
// format.
func CheckSuffix(dst string) error {
	if slices.Contains(checkpoint.Suffixes, filepath.Ext(dst)) {
		return nil
	}
	return fmt.Errorf("writing checkpoint %q: the path must end in %s", dst, strings.Join(checkpoint.Suffixes, " or "))
}

// keyMap returns the key map with the ID from the network's family. An empty ID
// means the first key map.
func keyMap(p *model.Plan, id string) (*model.KeyMap, error) {
	if p.Family == nil {
		return nil, nil
	}
	all := p.Family.KeyMaps
	if id == "" {
		return all[0], nil
	}
	i := slices.IndexFunc(all, func(k *model.KeyMap) bool { return k.ID == id })
	if i < 0 {
		return nil, fmt.Errorf("%s has no tensor names %q", p.Family.Name, id)
	}
	return all[i], nil
}

// verify reads the written file back, while it still has its temporary name, and
// compares both forms.
func (c *Conversion) verify(ctx context.Context, src *weights.Set, tmp string) error {
	dst, err := weights.OpenForm(tmp, src.Plan.As(model.Deploy), checkpoint.Choice{})
	if err != nil {
		return err
	}
	defer dst.Close()
	dst.File.Path = c.Dst // errors should name the final path
	newRunner := func(p *model.Plan, w tensor.Source) (engine.Runner, error) {
		return cpu.New(p, tensor.Interruptible(ctx, w), cpu.Options{Threads: c.Threads})
	}
	return convert.Verify(ctx, src, dst, newRunner, c.Verify)
}
