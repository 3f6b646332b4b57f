package repvgg

import (
	"strconv"
	"strings"
	"testing"

	"repvgg/internal/model"
	"repvgg/internal/python"
)

// counts are exact figures from the original's counter and modules. For D2se's
// deploy form, squeeze-and-excitation was included.
var counts = []struct {
	variant                   string
	trainParams, deployParams int64
	trainFLOPs, deployFLOPs   int64
}{
	{"A0", 9108968, 8309384, 1522063872, 1363821312},
	{"A1", 14092264, 12789864, 2639433216, 2367491840},
	{"A2", 28210600, 25499944, 5703117056, 5121872000},
	{"B0", 15817960, 14339048, 3415053824, 3062529792},
	{"B1", 57415016, 51829480, 13160161280, 11824175104},
	{"B1g2", 45782376, 41360104, 9820446720, 8818432000},
	{"B1g4", 39966056, 36125416, 8150589440, 7315560448},
	{"B2", 89022376, 80315112, 20457256960, 18387070464},
	{"B2g4", 61758376, 55777512, 12629800960, 11342360064},
	{"B3", 123085288, 110960872, 29167158272, 26221551104},
	{"B3g4", 83825128, 75626728, 17895621632, 16077168128},
	{"D2se", 133334836, 120387572, 36562445400, 32861538904},
}

// published is the table of the original's page, as printed there: epochs,
// parameters in millions, FLOPs in billions (train and deploy for both), top-1,
// top-5.
const published = `
RepVGG-A0* 120 | 9.11 (train) 8.31 (deploy) | 1.52 (train) 1.36 (deploy) | 72.41 90.50
RepVGG-A1* 120 | 14.09 (train) 12.79 (deploy) | 2.64 (train) 2.37 (deploy) | 74.47 91.85
RepVGG-A2* 120 | 28.21 (train) 25.5 (deploy) | 5.7 (train) 5.12 (deploy) | 76.48 93.01
RepVGG-B0* 120 | 15.82 (train) 14.34 (deploy) | 3.42 (train) 3.06 (deploy) | 75.14 92.42
RepVGG-B1* 120 | 57.42 (train) 51.83 (deploy) | 13.16 (train) 11.82 (deploy) | 78.37 94.11
RepVGG-B1g2* 120 | 45.78 (train) 41.36 (deploy) | 9.82 (train) 8.82 (deploy) | 77.79 93.88
RepVGG-B1g4* 120 | 39.97 (train) 36.13 (deploy) | 8.15 (train) 7.32 (deploy) | 77.58 93.84
RepVGG-B2* 120 | 89.02 (train) 80.32 (deploy) | 20.46 (train) 18.39 (deploy) | 78.78 94.42
RepVGG-B2g4* 200 | 61.76 (train) 55.78 (deploy) | 12.63 (train) 11.34 (deploy) | 79.38 94.68
RepVGG-B3* 200 | 123.09 (train) 110.96 (deploy) | 29.17 (train) 26.22 (deploy) | 80.52 95.26
RepVGG-B3g4* 200 | 83.83 (train) 75.63 (deploy) | 17.9 (train) 16.08 (deploy) | 80.22 95.10
RepVGG-D2se* 200 | 133.33 (train) 120.39 (deploy) | 36.56 (train) 32.85 (deploy) | 81.81 95.94
`

// variant returns the network of a published config: repvgg-A0, repvgg-A0_deploy.
func variant(t *testing.T, config string) *model.Plan {
	t.Helper()
	name, deploy := strings.CutSuffix(strings.TrimPrefix(config, "repvgg-"), "_deploy")
	p, err := Variant(name, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if deploy {
		p = p.As(model.Deploy)
	}
	return p
}

// small returns a network of six blocks.
func small(t *testing.T, form model.Form, groups map[int]int, se *SE) *model.Plan {
	t.Helper()
	c := Default()
	c.Form, c.Classes = form, 10
	c.Arch = Arch{NumBlocks: []int{1, 2, 1, 1}, WidthFactor: []float64{.25, .25, .25, .25}, GroupLayers: groups, SE: se, StemChannels: DefaultStemChannels}
	p, err := Assemble(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestCountsAreTheOriginals(t *testing.T) {
	for _, c := range counts {
		for _, form := range []model.Form{model.Train, model.Deploy} {
			params, flops := c.trainParams, c.trainFLOPs
			name := "repvgg-" + c.variant
			if form == model.Deploy {
				params, flops = c.deployParams, c.deployFLOPs
				name += "_deploy"
			}
			p := variant(t, name)
			if got := p.Params(); got != params {
				t.Errorf("%s: %d parameters, want %d", name, got, params)
			}
			if got, err := p.FLOPs(224, 224); err != nil || got != flops {
				t.Errorf("%s: %d FLOPs (%v), want %d", name, got, err, flops)
			}
		}
	}
}

// TestPublishedFigures compares our counts with the 48 figures on the original's
// page, digit by digit.
func TestPublishedFigures(t *testing.T) {
	zoo := Zoo()
	lines := strings.Split(strings.TrimSpace(published), "\n")
	if len(zoo) != 12 || len(lines) != 12 {
		t.Fatalf("%d rows, want 12", len(zoo))
	}
	for i, line := range lines {
		row := zoo[i]
		f := strings.Fields(strings.NewReplacer("*", "", "|", "", "(train)", "", "(deploy)", "").Replace(line))
		want := Published{
			Name: f[0], TrainConfig: row.TrainConfig, DeployConfig: row.DeployConfig, Weights: row.Weights,
			Epochs: atoi(t, f[1]), Top1: atof(t, f[6]), Top5: atof(t, f[7]),
			Train:  PublishedCost{Params: f[2], FLOPs: f[4]},
			Deploy: PublishedCost{Params: f[3], FLOPs: f[5]},
		}
		if row != want {
			t.Errorf("row %d is %+v, want %+v", i, row, want)
		}
		for form, cfg := range map[model.Form]string{model.Train: row.TrainConfig, model.Deploy: row.DeployConfig} {
			cost := map[model.Form]PublishedCost{model.Train: row.Train, model.Deploy: row.Deploy}[form]
			p := variant(t, cfg)
			if p.Form != form {
				t.Errorf("%s has the %s form", cfg, p.Form)
			}
			flops, err := p.FLOPs(224, 224)
			if err != nil {
				t.Error(err)
			}
			wantFLOPs := cost.FLOPs
			if row.Name == "RepVGG-D2se" && form == model.Deploy {
				// The page leaves out squeeze-and-excitation: 13745240 operations fewer.
				if !strings.Contains(row.Note(), "32.86") || giga(flops-13745240) != wantFLOPs {
					t.Errorf("%s: %d FLOPs, note %q", row.Name, flops, row.Note())
				}
				wantFLOPs = "32.86"
			} else if form == model.Deploy && row.Note() != "" {
				t.Errorf("%s has the note %q", row.Name, row.Note())
			}
			if got := python.Rounded(float64(p.Params())/1e6, 2); got != cost.Params {
				t.Errorf("%s %s: %s parameters, published %s", row.Name, form, got, cost.Params)
			}
			if got := giga(flops); got != wantFLOPs {
				t.Errorf("%s %s: %s, published %s", row.Name, form, got, wantFLOPs)
			}
		}
	}
}

func TestZooWeights(t *testing.T) {
	for _, row := range Zoo() {
		// The names of the publisher's files end in the date and eight digits of a SHA-256.
		name, ok := strings.CutPrefix(row.Weights, "https://download.openmmlab.com/mmclassification/v0/repvgg/"+row.TrainConfig+"_3rdparty_4xb64-")
		if !ok || !strings.Contains(name, strconv.Itoa(row.Epochs)+"e_in1k_20210909-") || len(name) < 13 || !strings.HasSuffix(name, ".pth") {
			t.Errorf("%s: weights %q", row.Name, row.Weights)
		}
	}
}

// TestCountParts compares the parts of A0 and of a small network with figures
// computed by hand, for an input that is not square.
func TestCountParts(t *testing.T) {
	p := variant(t, "repvgg-A0")
	c, err := p.Count(224, 224)
	if err != nil {
		t.Fatal(err)
	}
	var macs int64
	for _, b := range c.Blocks {
		macs += b.Total().MACs
	}
	// 3x3 and 1x1 convolutions, from the reference count.
	if want := int64(1360171008 + 151130112); macs != want || c.Total.MACs != want {
		t.Errorf("%d multiply-accumulates, total %d, want %d", macs, c.Total.MACs, want)
	}
	if c.Pool.FLOPs != 1280*7*7 || c.Head.Params != 1281000 || c.Head.FLOPs != 0 {
		t.Errorf("pool %+v, head %+v", c.Pool, c.Head)
	}

	p = small(t, model.Train, map[int]int{1: 4}, &SE{Ratio: 4, Divisor: 8})
	if c, err = p.Count(33, 20); err != nil {
		t.Fatal(err)
	}
	// The stem's output is 17 x 10. The block of stage 1, with 16 channels in 4 groups,
	// gives 9 x 5.
	b := c.Blocks[1]
	if b.InH != 17 || b.InW != 10 || b.OutH != 9 || b.OutW != 5 {
		t.Errorf("block 1 turns %d x %d into %d x %d", b.InH, b.InW, b.OutH, b.OutW)
	}
	const conv3, conv1, n, q = 9 * 4 * 16, 4 * 16, 9 * 5, 8
	want := model.Cost{
		Params: conv3 + conv1 + 2*2*16 + 2*16*q + q + 16,
		FLOPs:  (conv3+conv1+2*2*16+16)*n + 16*n + 2*16*q + q + 16 + q,
		MACs:   (conv3+conv1)*n + 2*16*q,
	}
	if b.Total() != want {
		t.Errorf("block 1 costs %+v, want %+v", b.Total(), want)
	}
}

// TestCountMatchesTensors compares the parameter count with the shapes of the state
// dict.
func TestCountMatchesTensors(t *testing.T) {
	for _, form := range []model.Form{model.Train, model.Deploy} {
		p := small(t, form, map[int]int{1: 4, 3: 2}, &SE{Ratio: 3, Divisor: 2})
		var want int64
		for _, s := range p.Tensors() {
			if !strings.Contains(s.Name, ".running_") {
				want += int64(s.Numel())
			}
		}
		if got := p.Params(); got != want {
			t.Errorf("%s form: %d parameters, want %d", p.Form, got, want)
		}
	}
}

func TestCountRefuses(t *testing.T) {
	p := variant(t, "repvgg-A0")
	for _, size := range [][2]int{{0, 224}, {224, -1}, {1 << 17, 1}} {
		if _, err := p.FLOPs(size[0], size[1]); err == nil || !strings.Contains(err.Error(), "want a height and width") {
			t.Errorf("size %v: error %v", size, err)
		}
	}
	c := Default()
	c.Arch = Arch{NumBlocks: []int{1000}, WidthFactor: []float64{1024}, StemChannels: 64}
	c.Strides, c.Dilations, c.OutIndices = []int{1}, []int{1}, []int{0}
	wide, err := Assemble(c)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := wide.FLOPs(1<<16, 1<<16); err == nil || !strings.Contains(err.Error(), "too many to count") {
		t.Errorf("%d FLOPs, error %v", n, err)
	}
}

// giga formats a number as the published page does.
func giga(n int64) string { return python.Rounded(float64(n)/1e9, 2) }

func atoi(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func atof(t *testing.T, s string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
