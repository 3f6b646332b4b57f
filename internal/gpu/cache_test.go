package gpu

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repvgg/internal/gpu/cuda"
)

var someGPU = hardware{GPU: "NVIDIA H100 80GB HBM3", Driver: "580.1", CUDNN: 91900}

func TestChoicesAreKept(t *testing.T) {
	path := cachePath(t.TempDir(), someGPU)
	first, err := openChoices(path, someGPU)
	if err != nil || len(first.Kept) != 0 {
		t.Fatalf("%v, %v", first, err)
	}
	a := choice{Method: methodGraph, Engine: 38, Knobs: []cuda.Knob{{Type: 1, Value: 2}, {Type: 3, Value: -4}}, Microseconds: 12.5}
	first.set("a", a, true)
	first.set("c", choice{Method: methodDirect}, false)
	if c, ok := first.get("c"); !ok || c.Method != methodDirect {
		t.Errorf("the choice of this process is %v", c)
	}
	// Another process writes meanwhile.
	second, err := openChoices(path, someGPU)
	if err != nil {
		t.Fatal(err)
	}
	b := choice{Method: methodLegacy}
	second.set("b", b, true)
	for _, c := range []*choices{second, first} {
		if err := c.save(); err != nil {
			t.Fatal(err)
		}
	}
	again, err := openChoices(path, someGPU)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]choice{"a": a, "b": b}, again.Kept); diff != "" {
		t.Error(diff)
	}
	other := someGPU
	other.CUDNN++
	if c, err := openChoices(path, other); err != nil || len(c.Kept) != 0 {
		t.Errorf("choices of another cuDNN: %v, %v", c.Kept, err)
	}
}

func TestDamagedChoices(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "measured again"},
		{"cut", `{"format": 2, "hardware": {"gpu": "NVIDIA`, "measured again"},
		{"binary", "\x00\xff\x80", "measured again"},
		{"wrong types", `{"format": "one"}`, "measured again"},
		{"method", header + `"choices": {"x": {"method": "guess"}, "y": {"method": "legacy"}}}`, `"x" is damaged`},
		{"engine", header + `"choices": {"x": {"method": "graph", "engine": -1}}}`, `"x" is damaged`},
		{"legacy with an engine", header + `"choices": {"x": {"method": "legacy", "engine": 3}}}`, `"x" is damaged`},
		{"direct", header + `"choices": {"x": {"method": "direct"}}}`, `"x" is damaged`},
		{"knobs", header + `"choices": {"x": {"method": "graph", "knobs": [` + strings.Repeat(`{"type": 1, "value": 1},`, 99) + `{"type": 1, "value": 1}]}}}`, `"x" is damaged`},
		{"none", header + `"choices": null}`, ""},
		{"old format", strings.Replace(header, `"format": 2`, `"format": 1`, 1) + `"choices": {"x": {"method": "guess"}}}`, ""},
	} {
		path := filepath.Join(dir, c.name+".json")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := openChoices(path, someGPU)
		if (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path)) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
		if _, ok := got.Kept["x"]; ok || got.Kept == nil {
			t.Errorf("%s: choices %v", c.name, got.Kept)
		}
		// save replaces it.
		got.set("z", choice{Method: methodLegacy}, true)
		if err := got.save(); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if again, err := openChoices(path, someGPU); err != nil || again.Kept["z"].Method != methodLegacy {
			t.Errorf("%s, replaced: %v, %v", c.name, again.Kept, err)
		}
	}
	if _, err := openChoices(dir, someGPU); err == nil {
		t.Error("a folder was read")
	}
}

const header = `{"format": 2, "hardware": {"gpu": "NVIDIA H100 80GB HBM3", "driver": "580.1", "cudnn": 91900}, `

func TestChoicesWithoutAFile(t *testing.T) {
	c, err := openChoices("", someGPU)
	if err != nil {
		t.Fatal(err)
	}
	c.set("x", choice{Method: methodLegacy}, true)
	if err := c.save(); err != nil {
		t.Error(err)
	}
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c.path, c.changed = filepath.Join(blocked, "below.json"), true
	if err := c.save(); err == nil || !strings.Contains(err.Error(), "keeping the choice of engines") {
		t.Errorf("got %v", err)
	}
}

// TestKeysDiffer: the key has everything that decides which engine is fastest.
func TestKeysDiffer(t *testing.T) {
	s := cuda.ConvShape{N: 1, H: 2, W: 3, C: 4, K: 5, R: 3, Stride: 1, Dilation: 1, Pad: 1, Groups: 1}
	seen := map[string]bool{shapeKey(s, epilogue{}, fp16): true}
	add := func(s cuda.ConvShape, e epilogue, p precision) {
		key := shapeKey(s, e, p)
		if seen[key] {
			t.Errorf("two convolutions have the key %q", key)
		}
		seen[key] = true
	}
	for _, change := range []func(*cuda.ConvShape){
		func(s *cuda.ConvShape) { s.N++ }, func(s *cuda.ConvShape) { s.H++ }, func(s *cuda.ConvShape) { s.W++ }, func(s *cuda.ConvShape) { s.C++ }, func(s *cuda.ConvShape) { s.K++ },
		func(s *cuda.ConvShape) { s.R = 1 }, func(s *cuda.ConvShape) { s.Stride++ }, func(s *cuda.ConvShape) { s.Dilation++ }, func(s *cuda.ConvShape) { s.Groups++ },
	} {
		c := s
		change(&c)
		add(c, epilogue{}, fp16)
	}
	add(s, epilogue{Add: true}, fp16)
	add(s, epilogue{Bias: true}, fp16)
	add(s, epilogue{ReLU: true}, fp16)
	add(s, epilogue{}, bf16)
	a := cachePath("d", someGPU)
	other := someGPU
	other.Driver = "581"
	if a == cachePath("d", other) {
		t.Errorf("%q for both drivers", a)
	}
	if !strings.HasPrefix(filepath.Base(a), "NVIDIA-H100-80GB-HBM3-91900-") {
		t.Errorf("the file is called %q", a)
	}
}
