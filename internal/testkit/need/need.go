// Package need is for tests only. It finds the programs that results are compared
// with. If a program is missing, the test is skipped, with a message. If an
// environment variable requires the program, as in CI, the test fails instead.
package need

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// The environment variables that make a missing program a failure.
const (
	Torch       = "REPVGG_REQUIRE_TORCH"
	OpenCV      = "REPVGG_REQUIRE_OPENCV"
	ONNXRuntime = "REPVGG_REQUIRE_ONNXRUNTIME"
)

// interpreter is Debian's Python, for which python3-torch and others are packaged.
const interpreter = "/usr/bin/python3"

// Python returns an interpreter that can import the modules.
func Python(t testing.TB, variable string, modules ...string) string {
	t.Helper()
	program := ""
	if len(modules) > 0 {
		program = "import " + strings.Join(modules, ", ")
	}
	if out, err := exec.Command(interpreter, "-c", program).CombinedOutput(); err != nil {
		missing(t, variable, "%s does not import %s (Debian's python3-torch, python3-opencv, python3-pil, python3-yaml): %v\n%s",
			interpreter, strings.Join(modules, ", "), err, out)
	}
	return interpreter
}

func missing(t testing.TB, variable, format string, args ...any) {
	t.Helper()
	if os.Getenv(variable) != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// Script runs a Python script with arguments, and logs its output. If the script
// fails, the test fails.
func Script(t testing.TB, python string, args ...string) {
	t.Helper()
	out, err := exec.Command(python, append([]string{"-B"}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Logf("%s", out)
}

// Outputs is the result of running a model in onnxruntime.
type Outputs struct {
	Inputs, Outputs []string // names
	Dims            []int
	Values          []float32
}

// RunONNX runs a model in onnxruntime on float32 values with a shape. It uses the
// script onnx/run.js in the folder testdata.
func RunONNX(t testing.TB, testdata, model string, x []float32, shape []int) (Outputs, error) {
	t.Helper()
	if err := exec.Command("node", "-e", "require('onnxruntime-node')").Run(); err != nil {
		missing(t, ONNXRuntime, "no onnxruntime-node in NODE_PATH: %v", err)
	}
	input := filepath.Join(t.TempDir(), "input.f32")
	var b bytes.Buffer
	if err := binary.Write(&b, binary.LittleEndian, x); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(input, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{filepath.Join(testdata, "onnx", "run.js"), model, input}
	for _, d := range shape {
		args = append(args, strconv.Itoa(d))
	}
	var r Outputs
	out, err := exec.Command("node", args...).Output()
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return r, nil
}
