package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"testing"

	"repvgg/internal/cpu"
	"repvgg/internal/engine"
)

// TestNumerics is the Go side of testdata/numerics.py, which sets the variables. It
// runs a checkpoint on 224x224 images, read from a file of float32 values, and
// writes the logits.
func TestNumerics(t *testing.T) {
	cfgName, path := os.Getenv("REPVGG_NUMERICS_CFG"), os.Getenv("REPVGG_NUMERICS_CKPT")
	if cfgName == "" {
		t.Skip("run by make numerics")
	}
	precision, err := engine.ParsePrecision(os.Getenv("REPVGG_NUMERICS_PRECISION"), cpu.Precisions())
	if err != nil {
		t.Fatal(err)
	}
	plan := loadPlanFor(t, cfgName)
	r, err := cpu.New(plan, openWeights(t, plan, path), cpu.Options{Precision: precision})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	const size = 224
	data, err := os.ReadFile(os.Getenv("REPVGG_NUMERICS_INPUT"))
	if err != nil {
		t.Fatal(err)
	}
	src := make([]float32, len(data)/4)
	if err := binary.Read(bytes.NewReader(data), binary.LittleEndian, src); err != nil {
		t.Fatal(err)
	}
	n := len(src) / (3 * size * size)
	logits := make([]float32, n*plan.OutLen(size, size))
	if err := r.Run(context.Background(), logits, src, n, size, size); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := binary.Write(&out, binary.LittleEndian, logits); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(os.Getenv("REPVGG_NUMERICS_OUTPUT"), out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
