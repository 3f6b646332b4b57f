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

// ONNXSuffix of an Export's Dst makes it write an ONNX model.
const ONNXSuffix = ".onnx"

// Exporting is a checkpoint of either form whose deploy form is written for other
// programs.
type Exporting struct {
	Source
	// Dst is an ONNX model, or a checkpoint: see ONNXSuffix and checkpoint.Suffixes.
	Dst string
	// Names are those of a checkpoint's tensors, by the key map's ID; empty means
	// those that the source has.
	Names string
	// ONNX are the options of a model. Its metadata is added here.
	ONNX onnx.Options
}

// Export writes the deploy form of a network. A training checkpoint is fused on
// the way. A failed run leaves no file.
func Export(ctx context.Context, e Exporting, h Host) error {
	r, err := recipe.Load(e.Config, e.Overrides)
	if err != nil {
		return err
	}
	h.NoteRecipe(r)
	src, err := weights.Open(e.Checkpoint, r.Network, e.EMA)
	if err != nil {
		return err
	}
	defer src.Close()
	h.noteWeights(src, e.EMA)
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
	if atomicfile.Same(src.File.Path, e.Dst) {
		return fmt.Errorf("writing %q: it is the checkpoint that is read; give another name", e.Dst)
	}
	return network.Write(ctx, e.Dst, src.Deploy(), src.Verify)
}
