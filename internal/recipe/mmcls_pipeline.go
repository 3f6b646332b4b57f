package recipe

import (
	"errors"
	"slices"

	"repvgg/internal/config"
	"repvgg/internal/config/value"
	"repvgg/internal/preprocess"
)

// mmclsSteps are the steps of a test pipeline, in the required order. Resize and
// CenterCrop may be mixed and repeated. Normalize and Collect are optional.
// LoadImageFromFile must be left out if the data set holds arrays.
var mmclsSteps = []string{"LoadImageFromFile", "Resize", "CenterCrop", "Normalize", "ImageToTensor", "Collect"}

// An mmclsStep is a step with the section that describes it. keys maps the names of
// the step's fields to the section's keys.
type mmclsStep struct {
	preprocess.Step
	section config.Section
	keys    map[string]string
}

// mmclsPipeline builds the pipeline of data.test.pipeline. An unsupported step or
// option is an error, and so is a wrong order of steps.
func mmclsPipeline(cfg *config.Config) (*preprocess.Pipeline, error) {
	test, err := at(cfg, "data", "test")
	if err != nil {
		return nil, err
	}
	sections, err := test.Sections("pipeline")
	if err != nil {
		return nil, err
	}
	if len(sections) == 0 {
		return nil, test.Errorf("pipeline", "the pipeline has no steps; want %v", mmclsSteps)
	}
	if err := checkOrder(sections); err != nil {
		return nil, err
	}
	var read []mmclsStep
	var steps []preprocess.Step
	for _, s := range sections {
		step, err := readStep(s)
		if err != nil {
			return nil, err
		}
		if step.Step != nil {
			step.section = s
			read, steps = append(read, step), append(steps, step.Step)
		}
	}
	p, err := preprocess.New(steps)
	if wrong, ok := errors.AsType[*preprocess.StepError](err); ok {
		of := read[wrong.Step]
		return nil, of.section.Errorf(of.keys[wrong.Field], "%w", wrong.Err)
	}
	return p, err
}

// checkOrder returns an error unless the steps are known and in the order of
// mmclsSteps.
func checkOrder(steps []config.Section) error {
	rank := -1 // of the previous step
	for _, s := range steps {
		var step typed
		if err := s.Decode(&step); err != nil {
			return err
		}
		r := slices.Index(mmclsSteps, step.Type)
		if r < 0 {
			return s.Errorf("type", "step %q is not one of %v", step.Type, mmclsSteps)
		}
		transforms := step.Type == "Resize" || step.Type == "CenterCrop"
		switch {
		case transforms && rank <= 2, r > rank:
		case r == rank:
			return s.Errorf("type", "step %s is repeated", step.Type)
		default:
			return s.Errorf("type", "step %s after %s: the order must be %v", step.Type, mmclsSteps[rank], mmclsSteps)
		}
		rank = r
	}
	if rank < slices.Index(mmclsSteps, "ImageToTensor") {
		return steps[len(steps)-1].Errorf("type", "the pipeline ends without ImageToTensor")
	}
	return nil
}

// readStep reads a step that has passed checkOrder. The Step is nil if it does not
// change images.
func readStep(s config.Section) (mmclsStep, error) {
	var step typed
	if err := s.Decode(&step); err != nil {
		return mmclsStep{}, err
	}
	switch step.Type {
	case "LoadImageFromFile":
		return mmclsStep{Step: preprocess.Load{}}, checkLoad(s)
	case "Resize":
		return readResize(s)
	case "CenterCrop":
		return readCenterCrop(s)
	case "Normalize":
		return readNormalize(s)
	}
	return mmclsStep{}, checkKeys(s)
}

// checkLoad refuses options of LoadImageFromFile that we do not support.
func checkLoad(s config.Section) error {
	opts := struct {
		ToFloat32 bool        `config:"to_float32"`
		ColorType string      `config:"color_type"`
		Client    value.Value `config:"file_client_args"`
	}{ColorType: "color"}
	if err := s.DecodeStrict(&opts); err != nil {
		return err
	}
	if opts.ToFloat32 {
		return s.Errorf("to_float32", "True is not supported: images are processed as 8 bits")
	}
	if opts.ColorType != "color" {
		return s.Errorf("color_type", "%q is not supported, want \"color\"", opts.ColorType)
	}
	return checkClient(s, opts.Client)
}

// checkClient returns an error unless the files are on a disk.
func checkClient(s config.Section, client value.Value) error {
	if d, ok := client.(*value.Dict); ok {
		if b, ok := d.Get("backend"); ok && b != "disk" {
			return s.Errorf("file_client_args", "backend %v is not supported, want \"disk\"", b)
		}
	}
	return nil
}

// checkKeys returns an error unless the keys include the image, which is all that
// we have.
func checkKeys(s config.Section) error {
	var opts struct {
		Keys     []string    `config:"keys,required"`
		MetaKeys value.Value `config:"meta_keys"`
	}
	if err := s.DecodeStrict(&opts); err != nil {
		return err
	}
	if !slices.Contains(opts.Keys, "img") {
		return s.Errorf("keys", "%v lacks \"img\"", opts.Keys)
	}
	return nil
}

var resizeKeys = map[string]string{"Height": "size", "Length": "size", "Side": "adaptive_side", "Interpolation": "interpolation"}

func readResize(s config.Section) (mmclsStep, error) {
	opts := struct {
		Size          value.Value `config:"size,required"`
		Interpolation string      `config:"interpolation"`
		AdaptiveSide  string      `config:"adaptive_side"`
		Backend       string      `config:"backend"`
	}{Interpolation: "bilinear", AdaptiveSide: "short", Backend: "cv2"}
	if err := s.DecodeStrict(&opts); err != nil {
		return mmclsStep{}, err
	}
	h, w, ok := pair(opts.Size)
	if !ok {
		return mmclsStep{}, s.Errorf("size", "want an int, (height, width) or (side, -1), got %s", value.Brief(opts.Size))
	}
	step := preprocess.Resize{Height: h, Width: w, Backend: opts.Backend, Interpolation: opts.Interpolation}
	if w == -1 {
		step.Side, step.Length = opts.AdaptiveSide, h
		if step.Side == "" { // "" would mean a fixed size
			return mmclsStep{}, s.Errorf("adaptive_side", "want short, long, height or width, got ''")
		}
	}
	return mmclsStep{Step: step, keys: resizeKeys}, nil
}

var cropKeys = map[string]string{"Height": "crop_size", "Padding": "crop_padding", "Interpolation": "interpolation"}

func readCenterCrop(s config.Section) (mmclsStep, error) {
	opts := struct {
		CropSize      value.Value `config:"crop_size,required"`
		EfficientNet  bool        `config:"efficientnet_style"`
		Padding       int         `config:"crop_padding"`
		Interpolation string      `config:"interpolation"`
		Backend       string      `config:"backend"`
	}{Padding: 32, Interpolation: "bilinear", Backend: "cv2"}
	if err := s.DecodeStrict(&opts); err != nil {
		return mmclsStep{}, err
	}
	h, w, ok := pair(opts.CropSize)
	if !ok {
		return mmclsStep{}, s.Errorf("crop_size", "want an int or (height, width), got %s", value.Brief(opts.CropSize))
	}
	if _, single := opts.CropSize.(int64); opts.EfficientNet && !single {
		return mmclsStep{}, s.Errorf("crop_size", "want an int with efficientnet_style=True, got %s", value.Brief(opts.CropSize))
	}
	return mmclsStep{
		Step: preprocess.CenterCrop{
			Height: h, Width: w, EfficientNet: opts.EfficientNet, Padding: opts.Padding, Backend: opts.Backend, Interpolation: opts.Interpolation,
		},
		keys: cropKeys,
	}, nil
}

// pair reads an int v, which means (v, v), or two ints.
func pair(v value.Value) (a, b int, ok bool) {
	if n, ok := v.(int64); ok {
		return int(n), int(n), true
	}
	items, _ := value.Items(v)
	if len(items) != 2 {
		return 0, 0, false
	}
	x, okX := items[0].(int64)
	y, okY := items[1].(int64)
	return int(x), int(y), okX && okY
}

var normalizeKeys = map[string]string{"Mean": "mean", "Std": "std"}

func readNormalize(s config.Section) (mmclsStep, error) {
	opts := struct {
		Mean  []float64 `config:"mean,required"`
		Std   []float64 `config:"std,required"`
		ToRGB bool      `config:"to_rgb"`
	}{ToRGB: true}
	if err := s.DecodeStrict(&opts); err != nil {
		return mmclsStep{}, err
	}
	return mmclsStep{Step: preprocess.Normalize{Mean: opts.Mean, Std: opts.Std, ToRGB: opts.ToRGB}, keys: normalizeKeys}, nil
}
