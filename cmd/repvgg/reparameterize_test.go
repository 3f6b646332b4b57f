package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"repvgg/internal/checkpoint"
	"repvgg/internal/model/repvgg"
	"repvgg/internal/testkit/need"
	"repvgg/internal/weights"
)

const testdata = "../../testdata"

// runCommand runs a command line in this process.
func runCommand(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, errs bytes.Buffer
	status = run(t.Context(), args, &out, &errs)
	return out.String(), errs.String(), status
}

// fused runs repvgg reparameterize and returns the path of the deploy weights.
func fused(t *testing.T, cfg, src string, flags ...string) string {
	t.Helper()
	dst := filepath.Join(t.TempDir(), "out", "deploy.pth")
	args := append([]string{"reparameterize", cfg, src, dst}, flags...)
	stdout, stderr, status := runCommand(t, args...)
	if status != 0 {
		t.Fatalf("repvgg %q: exit status %d, stderr %s", args, status, stderr)
	}
	if want := "Done! Save at path \"" + dst + "\"\n"; !strings.HasSuffix(stdout, want) {
		t.Errorf("stdout %q does not end in %q", stdout, want)
	}
	return dst
}

// fusedTensor describes a tensor of the original's deploy weights.
type fusedTensor struct {
	Name   string `json:"name"`
	Shape  []int  `json:"shape"`
	SHA256 string `json:"sha256"`
}

func readJSON(t *testing.T, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// checkFused checks that a file holds exactly the wanted tensors, in order and bit
// for bit.
func checkFused(t *testing.T, path string, want []fusedTensor) {
	t.Helper()
	if len(want) == 0 {
		t.Fatal("nothing to compare with")
	}
	c, err := checkpoint.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	keys := repvgg.MMClassification
	if found := weights.KeyMaps(c, repvgg.KeyMaps()); len(found) == 1 {
		keys = found[0]
	}
	names := make([]string, len(want))
	for i, w := range want {
		names[i], _ = keys.ToFile(w.Name)
	}
	if !slices.Equal(c.Names, names) {
		t.Fatalf("tensors %q, want %q", c.Names, names)
	}
	for i, w := range want {
		ts := c.Tensors[names[i]]
		values, err := c.Float32(names[i])
		if err != nil {
			t.Fatal(err)
		}
		if ts.DType.String() != "float32" || !slices.Equal(ts.Shape, w.Shape) || hash(values) != w.SHA256 {
			t.Errorf("%s: %s of %v with SHA-256 %s, want float32 of %v with %s",
				w.Name, ts.DType, ts.Shape, hash(values), w.Shape, w.SHA256)
		}
	}
	if err := c.Verify(); err != nil {
		t.Error(err)
	}
}

func hash(values []float32) string {
	b := make([]byte, 0, 4*len(values))
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// TestFuseDigits compares our deploy weights with the original's.
func TestFuseDigits(t *testing.T) {
	digits := filepath.Join(testdata, "digits")
	dst := fused(t, filepath.Join(digits, "configs", "repvgg-digits.py"), filepath.Join(digits, "train.pth"), "--verify")
	want, err := checkpoint.Open(filepath.Join(digits, "deploy.pth"))
	if err != nil {
		t.Fatal(err)
	}
	defer want.Close()
	var tensors []fusedTensor
	for _, name := range want.Names {
		values, err := want.Float32(name)
		if err != nil {
			t.Fatal(err)
		}
		tensors = append(tensors, fusedTensor{Name: name, Shape: want.Tensors[name].Shape, SHA256: hash(values)})
	}
	checkFused(t, dst, tensors)
}

// TestFuseArchitectures compares our deploy weights with hashes of the original's,
// for a plain network and for networks with groups, squeeze-and-excitation,
// dilation and another eps.
func TestFuseArchitectures(t *testing.T) {
	cases, err := filepath.Glob(filepath.Join(testdata, "fuse", "*", "train.pth"))
	if err != nil || len(cases) != 5 {
		t.Fatalf("found %d cases: %v", len(cases), err)
	}
	for _, src := range cases {
		dir := filepath.Dir(src)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			var want []fusedTensor
			readJSON(t, filepath.Join(dir, "deploy.sha256.json"), &want)
			checkFused(t, fused(t, filepath.Join(dir, "train_cfg.py"), src, "--verify"), want)
		})
	}
}

// TestFuseContainers converts the same weights in every container and type.
func TestFuseContainers(t *testing.T) {
	dir := filepath.Join(testdata, "checkpoints")
	var groups []struct {
		Files   []string
		Tensors []fusedTensor
	}
	readJSON(t, filepath.Join(dir, "expected.json"), &groups)
	seen := 0
	for _, g := range groups {
		for _, name := range g.Files {
			seen++
			t.Run(name, func(t *testing.T) {
				checkFused(t, fused(t, filepath.Join(dir, "tiny.py"), filepath.Join(dir, "ok", withSuffix(name))), g.Tensors)
			})
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "ok", "*"))
	if err != nil || len(files) != seen {
		t.Errorf("%d files, but expectations for %d (%v)", len(files), seen, err)
	}
}

// withSuffix returns the file name of a fixture.
func withSuffix(name string) string {
	if filepath.Ext(name) == "" {
		name += ".pth"
	}
	return name
}

// TestNames writes deploy weights with each framework's names in each format, and
// checks that reading them back gives the same values.
func TestNames(t *testing.T) {
	dir := filepath.Join(testdata, "fuse", "se")
	var want []fusedTensor
	readJSON(t, filepath.Join(dir, "deploy.sha256.json"), &want)
	for id, names := range map[string][]string{
		"mmcls":    {"backbone.stem.se_layer.conv1.conv.weight", "backbone.stage_3.1.branch_reparam.bias", "head.fc.bias"},
		"official": {"stage0.se.down.weight", "stage3.1.rbr_reparam.bias", "linear.bias"},
		"timm":     {"stem.attn.fc1.weight", "stages.2.1.reparam_conv.bias", "head.fc.bias"},
	} {
		for _, suffix := range []string{".pth", ".safetensors"} {
			t.Run(id+suffix, func(t *testing.T) {
				dst := filepath.Join(t.TempDir(), "deploy"+suffix)
				_, stderr, status := runCommand(t, "reparameterize", filepath.Join(dir, "train_cfg.py"), filepath.Join(dir, "train.pth"), dst, "--verify", "--names", id)
				if status != 0 || stderr != "" {
					t.Fatalf("exit status %d, stderr %q", status, stderr)
				}
				raw, err := checkpoint.Open(dst)
				if err != nil {
					t.Fatal(err)
				}
				defer raw.Close()
				for _, name := range names {
					if raw.Tensors[name] == nil {
						t.Errorf("no tensor %q among %q", name, raw.Names)
					}
				}
				checkFused(t, dst, want)
			})
		}
	}
}

// TestSameBytes converts one input under two names.
func TestSameBytes(t *testing.T) {
	cfg, src := filepath.Join(testdata, "checkpoints", "tiny.py"), filepath.Join(testdata, "checkpoints", "ok", "train.pth")
	var files [2][]byte
	for i, name := range []string{"a.pth", "another_name.pth"} {
		dst := filepath.Join(t.TempDir(), name)
		if _, stderr, status := runCommand(t, "reparameterize", cfg, src, dst); status != 0 {
			t.Fatal(stderr)
		}
		var err error
		if files[i], err = os.ReadFile(dst); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(files[0], files[1]) {
		t.Error("two conversions of one input differ")
	}
}

// TestRefused checks that each unusable checkpoint gives a one-line error and
// leaves no file.
func TestRefused(t *testing.T) {
	dir := filepath.Join(testdata, "checkpoints")
	wants := map[string]string{
		"already_deployed": "which needs no conversion",
		"missing_key":      "missing: backbone.stage_3.0.branch_1x1.norm.bias",

		"official_missing_key":  "missing: stage3.0.rbr_1x1.bn.bias",
		"repvggplus":            "RepVGGplus, a network that is not supported",
		"two_namings":           "has tensors with the names of MMClassification and with those of the official RepVGG code",
		"truncated.safetensors": "the file is truncated",
		"lying.safetensors":     `tensor "head.fc.weight": it has 640 bytes, but shape (6, 32) of F32 takes 768`,

		"unexpected_key":    "unexpected: backbone.stage_3.0.extra.weight",
		"wrong_shape":       "head.fc.weight has shape (7, 32) where the config needs (5, 32)",
		"nan_variance":      `backbone.stage_3.0.branch_1x1.norm.running_var has the value NaN at (3,)`,
		"negative_variance": `backbone.stage_3.0.branch_1x1.norm.running_var has the value -0.5 at (3,)`,
		"storage_missing":   "the file has no entry",
		"storage_too_short": "its 4608 elements of float32 take 18432",
		"flipped_bit":       "CRC-32",
	}
	files, err := filepath.Glob(filepath.Join(dir, "bad", "*"))
	if err != nil || len(files) < len(wants) {
		t.Fatalf("found %d files: %v", len(files), err)
	}
	for _, src := range files {
		name := strings.TrimSuffix(filepath.Base(src), ".pth")
		t.Run(name, func(t *testing.T) { checkRefused(t, filepath.Join(dir, "tiny.py"), src, wants[name]) })
	}
}

// TestRunsNothing converts a checkpoint whose pickle tries to run a command. The
// conversion gives a note and does not run the command.
func TestRunsNothing(t *testing.T) {
	dir := filepath.Join(testdata, "checkpoints")
	_, stderr, status := runCommand(t, "reparameterize", filepath.Join(dir, "tiny.py"), filepath.Join(dir, "ok", "runs_a_command.pth"), filepath.Join(t.TempDir(), "deploy.pth"))
	if status != 0 || !strings.Contains(stderr, "note: ") || !strings.Contains(stderr, "holds references to posix.system") {
		t.Errorf("exit status %d, stderr %q; want 0 and a note", status, stderr)
	}
	if _, err := os.Stat("/tmp/repvgg_ran_a_command"); err == nil {
		t.Error("a checkpoint ran its command")
	}
}

func checkRefused(t *testing.T, cfg, src, want string) {
	t.Helper()
	out := t.TempDir()
	stdout, stderr, status := runCommand(t, "reparameterize", cfg, src, filepath.Join(out, "deploy.pth"))
	if status != 1 || stdout != "" {
		t.Errorf("exit status %d, stdout %q; want 1 and nothing", status, stdout)
	}
	if strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, src) || !strings.Contains(stderr, want) {
		t.Errorf("stderr %q; want one line with %q and %q", stderr, src, want)
	}
	if left, err := os.ReadDir(out); err != nil || len(left) > 0 {
		t.Errorf("left %v behind (%v)", left, err)
	}
}

// TestTorchLoads loads our file with PyTorch and compares it with the original's.
func TestTorchLoads(t *testing.T) {
	python := need.Python(t, need.Torch, "torch")
	digits := filepath.Join(testdata, "digits")
	dst := fused(t, filepath.Join(digits, "configs", "repvgg-digits.py"), filepath.Join(digits, "train.pth"))
	need.Script(t, python, filepath.Join(testdata, "compare_torch.py"), dst, filepath.Join(digits, "deploy.pth"))
}

// TestGoldenFolders compares with the full set of reference results, which is too
// large to ship. REPVGG_GOLDEN names its folder.
func TestGoldenFolders(t *testing.T) {
	golden := os.Getenv("REPVGG_GOLDEN")
	if golden == "" {
		t.Skip("REPVGG_GOLDEN is not set")
	}
	cfg := filepath.Join(golden, "digits", "configs", "repvgg-digits.py")
	tensorsOf := func(path string) (tensors []fusedTensor) {
		c, err := checkpoint.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for _, name := range c.Names {
			values, err := c.Float32(name)
			if err != nil {
				t.Fatal(err)
			}
			tensors = append(tensors, fusedTensor{Name: name, Shape: c.Tensors[name].Shape, SHA256: hash(values)})
		}
		return tensors
	}
	formats, err := filepath.Glob(filepath.Join(golden, "formats", "*"))
	if err != nil || len(formats) == 0 {
		t.Fatalf("found %d formats: %v", len(formats), err)
	}
	for _, src := range formats {
		name := strings.TrimSuffix(filepath.Base(src), ".pth")
		if strings.HasPrefix(name, "expected_") {
			continue
		}
		t.Run("formats/"+name, func(t *testing.T) {
			cfg, want := cfg, filepath.Join(golden, "digits", "deploy.pth")
			switch {
			case name == "fp16" || name == "bf16":
				want = filepath.Join(golden, "formats", "expected_"+name+"_deploy.pth")
			case strings.HasSuffix(name, "_se"):
				cfg = filepath.Join(golden, "fuse", "se", "train_cfg.py")
				want = filepath.Join(golden, "fuse", "se", "deploy.pth")
			}
			checkFused(t, fused(t, cfg, src), tensorsOf(want))
		})
	}
	for _, name := range []string{"plain", "groups", "se", "dilated", "eps"} {
		t.Run("fuse/"+name, func(t *testing.T) {
			dir := filepath.Join(golden, "fuse", name)
			checkFused(t, fused(t, filepath.Join(dir, "train_cfg.py"), filepath.Join(dir, "train.pth"), "--verify"), tensorsOf(filepath.Join(dir, "deploy.pth")))
		})
	}
	bad, err := filepath.Glob(filepath.Join(golden, "bad", "*.pth"))
	if err != nil || len(bad) == 0 {
		t.Fatalf("found %d bad files: %v", len(bad), err)
	}
	for _, src := range bad {
		name := strings.TrimSuffix(filepath.Base(src), ".pth")
		t.Run("bad/"+name, func(t *testing.T) {
			if name == "deflated_ok" || name == "runs_a_command" {
				checkFused(t, fused(t, cfg, src), tensorsOf(filepath.Join(golden, "digits", "deploy.pth")))
				return
			}
			checkRefused(t, cfg, src, "")
		})
	}
	t.Run("imagenet-sample", func(t *testing.T) {
		var want map[string]fusedTensor
		readJSON(t, filepath.Join(golden, "imagenet-sample", "deploy.sha256.json"), &want)
		dst := fused(t, "repvgg-A0", filepath.Join(golden, "imagenet-sample", "train.pth"), "--verify")
		got := tensorsOf(dst)
		if len(got) != len(want) {
			t.Fatalf("%d tensors, want %d", len(got), len(want))
		}
		for _, g := range got {
			if w := want[g.Name]; w.SHA256 != g.SHA256 || !slices.Equal(w.Shape, g.Shape) {
				t.Errorf("%s differs", g.Name)
			}
		}
	})
}
