package gpu

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"repvgg/internal/atomicfile"
)

// cacheFormat is raised when what a choice means changes.
const cacheFormat = 2

// maxCacheFile bounds the file: some thousands of shapes.
const maxCacheFile = 16 << 20

// hardware is what measured choices hold for.
type hardware struct {
	GPU    string `json:"gpu"`
	Driver string `json:"driver"`
	// CUDNN is cudnnGetVersion's number: 91900 is 9.19.0.
	CUDNN uint64 `json:"cudnn"`
}

// knob is a setting of an engine of cuDNN.
type knob struct {
	Type  int32 `json:"type"`
	Value int64 `json:"value"`
}

// choice is what was found fastest for a convolution.
type choice struct {
	Method string `json:"method"`
	// Engine and Knobs say which engine of cuDNN a graph is run by.
	Engine int64  `json:"engine,omitempty"`
	Knobs  []knob `json:"knobs,omitempty"`
	// Microseconds is what it took when it was measured.
	Microseconds float64 `json:"microseconds,omitempty"`
}

// The ways to compute a convolution with its epilogue.
const (
	// One graph of cuDNN's: with the bias in float32; in the precision of the maps;
	// so and with the result, times 0, as the tensor to add, which is the pattern
	// that cuDNN's own kernels were compiled for.
	methodGraph       = "graph"
	methodGraphNarrow = "graph-narrow-bias"
	methodGraphZero   = "graph-zero"
	// A graph of the convolution alone, and a kernel of ours.
	methodGraphPlain = "graph-plain"
	// cudnnConvolutionBiasActivationForward.
	methodLegacy = "legacy"
	// A kernel of ours alone.
	methodDirect = "direct"
)

// graph tells whether the choice is an engine of the graph interface.
func (c choice) graph() bool {
	return slices.Contains([]string{methodGraph, methodGraphNarrow, methodGraphZero, methodGraphPlain}, c.Method)
}

// same tells whether two choices are one engine with one setting.
func (c choice) same(d choice) bool {
	return c.Method == d.Method && c.Engine == d.Engine && slices.Equal(c.Knobs, d.Knobs)
}

// name is the choice in words.
func (c choice) name() string {
	switch c.Method {
	case methodLegacy:
		return "cuDNN fused"
	case methodDirect:
		return "direct"
	case methodGraphPlain:
		return fmt.Sprintf("cuDNN engine %d, then a kernel", c.Engine)
	}
	return fmt.Sprintf("cuDNN engine %d", c.Engine)
}

// valid tells whether a choice read from a file can be one.
func (c choice) valid() bool {
	if c.Method == methodLegacy {
		return c.Engine == 0 && len(c.Knobs) == 0
	}
	return c.graph() && c.Engine >= 0 && len(c.Knobs) <= maxKnobs
}

// maxKnobs is above the number of types of knobs that cuDNN 9 has.
const maxKnobs = 64

// tuned are the choices of a GPU, kept in a file. What can't be read or written
// is measured again, so that failures are told but are none.
type tuned struct {
	path    string            // empty: nothing is kept
	Format  int               `json:"format"`
	On      hardware          `json:"hardware"`
	Choices map[string]choice `json:"choices"`
	changed bool
	passing map[string]choice // for this process only
}

// shapeKey names a convolution in the file.
func shapeKey(s convShape, e epilogue, p precision) string {
	key := fmt.Appendf(nil, "%v n%d %dx%d c%d k%d r%d s%d d%d g%d", p, s.N, s.H, s.W, s.C, s.K, s.R, s.Stride, s.Dilation, s.Groups)
	for _, part := range []struct {
		on   bool
		name string
	}{{e.Add, " add"}, {e.Bias, " bias"}, {e.ReLU, " relu"}} {
		if part.on {
			key = append(key, part.name...)
		}
	}
	return string(key)
}

// cachePath is the file for a piece of hardware below a folder; the user's cache
// if dir is empty.
func cachePath(dir string, on hardware) (string, error) {
	if dir == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		dir = filepath.Join(user, "repvgg", "cudnn")
	}
	text := fmt.Sprintf("%s\n%s\n%d", on.GPU, on.Driver, on.CUDNN)
	sum := sha256.Sum256([]byte(text))
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, on.GPU)
	return filepath.Join(dir, fmt.Sprintf("%.40s-%d-%s.json", name, on.CUDNN, hex.EncodeToString(sum[:4]))), nil
}

// openTuned reads the choices for a piece of hardware. The error says why a file
// that exists can't be used; what is returned then is empty and replaces it.
func openTuned(path string, on hardware) (*tuned, error) {
	empty := &tuned{path: path, Format: cacheFormat, On: on, Choices: make(map[string]choice), passing: make(map[string]choice)}
	if path == "" {
		return empty, nil
	}
	t, err := readTuned(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return empty, nil
	case err != nil:
		return empty, fmt.Errorf("reading the choice of engines %q: %w; they are measured again", path, err)
	case t.Format != cacheFormat || t.On != on:
		return empty, nil // of another version: nothing is wrong with that
	}
	t.path, t.passing = path, empty.passing
	for key, c := range t.Choices {
		if !c.valid() {
			delete(t.Choices, key)
			err = fmt.Errorf("reading the choice of engines %q: %q is damaged; it is measured again", path, key)
		}
	}
	if t.Choices == nil {
		t.Choices = empty.Choices
	}
	return t, err
}

func readTuned(path string) (*tuned, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxCacheFile {
		return nil, errors.New("it is no file of choices")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	t := new(tuned)
	if err := json.Unmarshal(data, t); err != nil {
		return nil, err
	}
	return t, nil
}

// get is the choice for a convolution, if there is one.
func (t *tuned) get(key string) (choice, bool) {
	c, ok := t.passing[key]
	if !ok {
		c, ok = t.Choices[key]
	}
	return c, ok
}

// set remembers a choice; keep says that it is for the file too.
func (t *tuned) set(key string, c choice, keep bool) {
	if !keep {
		t.passing[key] = c
		return
	}
	t.Choices[key] = c
	t.changed = true
}

// drop forgets a choice.
func (t *tuned) drop(key string) {
	delete(t.passing, key)
	delete(t.Choices, key)
}

// save writes the choices if there are new ones. Those that another process
// wrote meanwhile are kept.
func (t *tuned) save() error {
	if t.path == "" || !t.changed {
		return nil
	}
	if other, err := openTuned(t.path, t.On); err == nil {
		for key, c := range other.Choices {
			if _, ok := t.Choices[key]; !ok {
				t.Choices[key] = c
			}
		}
	}
	err := atomicfile.Write(t.path, func(w *bufio.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", " ")
		return e.Encode(t)
	})
	if err != nil {
		return fmt.Errorf("keeping the choice of engines: %w", err)
	}
	t.changed = false
	return nil
}

// cudnnVersion is cudnnGetVersion's number in words: 90100 is 9.1.0, 91900 is
// 9.19.0, 8906 is 8.9.6.
func cudnnVersion(v uint64) string {
	if v < 10000 {
		return fmt.Sprintf("%d.%d.%d", v/1000, v/100%10, v%100)
	}
	return fmt.Sprintf("%d.%d.%d", v/10000, v/100%100, v%100)
}
