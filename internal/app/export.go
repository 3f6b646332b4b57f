package app

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"

	"repvgg/internal/atomicfile"
	"repvgg/internal/convert"
	"repvgg/internal/model"
	"repvgg/internal/onnx"
	"repvgg/internal/recipe"
	"repvgg/internal/weights"
)

// ONNXSuffix is the suffix of Dst for which Export writes an ONNX model.
const ONNXSuffix = ".onnx"

// Exporting describes an export: a checkpoint of either form, and the file to write
// its deploy form to.
type Exporting struct {
	Source
	// Dst is the file to write. Its suffix chooses the format: ONNXSuffix or one of
	// checkpoint.Suffixes.
	Dst string
	// Names is the ID of the key map for the tensor names of a checkpoint. Empty means
	// the source's own key map.
	Names string
	// ONNX are the options of an ONNX model. Export adds the metadata.
	ONNX onnx.Options
}

// Export writes the deploy form of a network. A training checkpoint is fused as it
// is read. A failed run leaves no file.
func Export(ctx context.Context, e Exporting, h Host) error {
	r, err := recipe.Load(e.Config, e.Overrides)
	if err != nil {
		return err
	}
	h.NoteRecipe(r)
	if err := h.guard(r.Files(), e.Checkpoint).check(ctx, Output{"model", e.Dst}); err != nil {
		return err
	}
	src, err := weights.Open(e.Checkpoint, r.Network, e.Choice, e.Ignore...)
	if err != nil {
		return err
	}
	defer src.Close()
	h.noteWeights(src, e.Choice)
	if filepath.Ext(e.Dst) == ONNXSuffix {
		return e.writeONNX(ctx, r, src)
	}
	keys := src.KeyMap
	if e.Names != "" {
		if keys, err = keyMap(src.Plan, e.Names); err != nil {
			return err
		}
	}
	return convert.WriteDeploy(ctx, src, e.Dst, keys, nil)
}

func (e *Exporting) writeONNX(ctx context.Context, r *recipe.Recipe, src *weights.Set) error {
	o := e.ONNX
	if p, err := r.Pipeline(); err == nil { // a config need not have one
		o.Metadata = append(o.Metadata, onnx.Property{Key: "pipeline", Value: p.String()})
	}
	if head := src.Plan.Head; head != nil && len(src.File.Classes) == head.Classes {
		classes, err := json.Marshal(src.File.Classes)
		if err != nil {
			return err
		}
		o.Metadata = append(o.Metadata, onnx.Property{Key: "classes", Value: string(classes)})
	}
	network, err := onnx.New(src.Plan.As(model.Deploy), o)
	if err == nil {
		err = atomicfile.Probe(e.Dst)
	}
	if err != nil {
		return fmt.Errorf("writing %q: %w", e.Dst, err)
	}
	return network.Write(ctx, e.Dst, src.Deploy(), src.Verify)
}
