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
	"repvgg/internal/gpu/cuda"
)

// cacheFormat is raised when the meaning of a choice changes.
const cacheFormat = 2

// maxCacheFile bounds the file in bytes. It holds some thousands of shapes.
const maxCacheFile = 16 << 20

// hardware is what choices were measured on. They hold for nothing else.
type hardware struct {
	GPU    string `json:"gpu"`
	Driver string `json:"driver"`
	// CUDNN is cudnnGetVersion's number: 91900 is 9.19.0.
	CUDNN uint64 `json:"cudnn"`
}

// choice is how a convolution is computed.
type choice struct {
	Method string `json:"method"`
	// Engine and Knobs are the engine that runs a graph.
	Engine int64       `json:"engine,omitempty"`
	Knobs  []cuda.Knob `json:"knobs,omitempty"`
	// Microseconds is the time of a run when it was measured.
	Microseconds float64 `json:"microseconds,omitempty"`
}

// same reports whether two choices are the same engine with the same settings.
func (c choice) same(d choice) bool {
	return c.Method == d.Method && c.Engine == d.Engine && slices.Equal(c.Knobs, d.Knobs)
}

// name is the choice as messages and reports name it.
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

// valid reports whether a choice from a file can be one of ours.
func (c choice) valid() bool {
	if c.Method == methodLegacy {
		return c.Engine == 0 && len(c.Knobs) == 0
	}
	return c.graph() && c.Engine >= 0 && len(c.Knobs) <= cuda.MaxKnobs
}

// choices are the choices for a piece of hardware, by the keys of shapes. They are
// kept in a file. A file that can't be read or written costs measuring again and no
// more, so its errors are only reported.
type choices struct {
	path    string            // empty: there is no file
	Format  int               `json:"format"`
	On      hardware          `json:"hardware"`
	Kept    map[string]choice `json:"choices"`
	changed bool              // the file lacks some of Kept
	// session are those that hold for this process only.
	session map[string]choice
}

// shapeKey is the name of a convolution in the file.
func shapeKey(s cuda.ConvShape, e epilogue, p precision) string {
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

// cacheFolder is the user's folder for the choices.
func cacheFolder() (string, error) {
	user, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(user, "repvgg", "cudnn"), nil
}

// cachePath is the file of the choices for a piece of hardware in a folder.
func cachePath(dir string, on hardware) string {
	text := fmt.Sprintf("%s\n%s\n%d", on.GPU, on.Driver, on.CUDNN)
	sum := sha256.Sum256([]byte(text))
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, on.GPU)
	return filepath.Join(dir, fmt.Sprintf("%.40s-%d-%s.json", name, on.CUDNN, hex.EncodeToString(sum[:4])))
}

// openChoices reads the choices for a piece of hardware. The error says why a file
// that exists can't be used. The choices are returned in any case; without those of
// the file save replaces it.
func openChoices(path string, on hardware) (*choices, error) {
	empty := &choices{path: path, Format: cacheFormat, On: on, Kept: make(map[string]choice), session: make(map[string]choice)}
	if path == "" {
		return empty, nil
	}
	c, err := readChoices(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return empty, nil
	case err != nil:
		return empty, fmt.Errorf("reading the choice of engines %q: %w; they are measured again", path, err)
	case c.Format != cacheFormat || c.On != on:
		return empty, nil // another version wrote it, which is no error
	}
	c.path, c.session = path, empty.session
	for key, one := range c.Kept {
		if !one.valid() {
			delete(c.Kept, key)
			err = fmt.Errorf("reading the choice of engines %q: %q is damaged; it is measured again", path, key)
		}
	}
	if c.Kept == nil {
		c.Kept = empty.Kept
	}
	return c, err
}

func readChoices(path string) (*choices, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxCacheFile {
		return nil, errors.New("it is not a file of choices")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	c := new(choices)
	if err := json.Unmarshal(data, c); err != nil {
		return nil, err
	}
	return c, nil
}

// get is the choice for a convolution, if there is one.
func (c *choices) get(key string) (choice, bool) {
	one, ok := c.session[key]
	if !ok {
		one, ok = c.Kept[key]
	}
	return one, ok
}

// set makes a choice; keep says that it is for the file too.
func (c *choices) set(key string, one choice, keep bool) {
	if !keep {
		c.session[key] = one
		return
	}
	c.Kept[key] = one
	c.changed = true
}

// drop removes a choice.
func (c *choices) drop(key string) {
	delete(c.session, key)
	delete(c.Kept, key)
}

// save writes the file if there are new choices. Choices that another process
// wrote meanwhile stay in it.
func (c *choices) save() error {
	if c.path == "" || !c.changed {
		return nil
	}
	if other, err := openChoices(c.path, c.On); err == nil {
		for key, one := range other.Kept {
			if _, ok := c.Kept[key]; !ok {
				c.Kept[key] = one
			}
		}
	}
	err := atomicfile.Write(c.path, func(w *bufio.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", " ")
		return e.Encode(c)
	})
	if err != nil {
		return fmt.Errorf("keeping the choice of engines: %w", err)
	}
	c.changed = false
	return nil
}
