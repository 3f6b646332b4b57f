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

// Conversion is a training checkpoint that becomes deploy weights.
type Conversion struct {
	Source
	// Dst is the file to write; its suffix is one of checkpoint.Suffixes.
	Dst string
	// Names are those that the tensors get, by the key map's ID; empty means the
	// first key map of the network's family.
	Names string
	// Verify, unless nil, has the written file read back and compared with the
	// training form, and is told each difference. The file is kept only if all are
	// within their tolerances: see convert.Verify.
	Verify func(convert.Difference)
	// Threads that the verification runs on; 0 means all cores.
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
	keys, err := keyMap(r.Network, c.Names)
	if err != nil {
		return err
	}
	src, err := weights.OpenForm(c.Checkpoint, r.Network, c.EMA)
	if err != nil {
		return err
	}
	defer src.Close()
	h.noteWeights(src, c.EMA)
	if has := src.KeyMap; has != keys && c.Names == "" && h.Note != nil {
		h.Note(Note{OtherNames, fmt.Sprintf("%q has the tensor names of %s; those of %s are written", c.Checkpoint, has.Owner, keys.Owner), has.ID})
	}
	var check func(tmp string) error
	if c.Verify != nil {
		check = func(tmp string) error { return c.verify(ctx, src, tmp) }
	}
	return convert.WriteDeploy(ctx, src, c.Dst, keys, check)
}

// CheckSuffix reports a path that names no format of checkpoints.
func CheckSuffix(dst string) error {
	if slices.Contains(checkpoint.Suffixes, filepath.Ext(dst)) {
		return nil
	}
	return fmt.Errorf("writing checkpoint %q: the path should end in %s, the formats that are written", dst, strings.Join(checkpoint.Suffixes, " or "))
}

// keyMap is that of a network's family with an ID; the first for "".
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

// verify reads the written file back, which still has a temporary name, and
// compares both forms.
func (c *Conversion) verify(ctx context.Context, src *weights.Set, tmp string) error {
	dst, err := weights.OpenForm(tmp, src.Plan.As(model.Deploy), false)
	if err != nil {
		return err
	}
	defer dst.Close()
	dst.File.Path = c.Dst // what messages should name
	newRunner := func(p *model.Plan, w tensor.Source) (engine.Runner, error) {
		return cpu.New(p, tensor.Interruptible(ctx, w), cpu.Options{Threads: c.Threads})
	}
	return convert.Verify(ctx, src, dst, newRunner, c.Verify)
}
