package repvgg

// Published is a row of the table on the original's page on RepVGG
// (configs/repvgg/README.md of MMClassification 0.25). The accuracies are the
// publisher's, on ImageNet-1k. They were not measured here.
type Published struct {
	// Name is the name in the table: RepVGG-A0.
	Name string
	// TrainConfig and DeployConfig are the names of the embedded configs.
	TrainConfig, DeployConfig string
	Epochs                    int
	Train, Deploy             PublishedCost
	// Top1 and Top5 are the publisher's accuracies, in percent.
	Top1, Top5 float64
	// Weights is the URL of the publisher's training checkpoint.
	Weights string
}

// PublishedCost is the cost of one form in the table, digit by digit.
type PublishedCost struct {
	// Params is in millions. FLOPs is in billions, for one image of 224 x 224.
	Params, FLOPs string
}

// Note explains where a row of the table differs from our counts. It is usually
// empty.
func (p *Published) Note() string {
	if p.Name == "RepVGG-D2se" {
		return "the published FLOPs of the deploy form leave squeeze-and-excitation out, which it needs to give the training form's results; with it they are 32.86 G"
	}
	return ""
}

// AccuracyNote accompanies every table of the published accuracies.
const AccuracyNote = "top-1 and top-5 are the publisher's figures on ImageNet-1k; they were not measured here"

const weights = "https://download.openmmlab.com/mmclassification/v0/repvgg/"

// Zoo returns the published table, in its order.
func Zoo() []Published {
	return []Published{
		{"RepVGG-A0", "repvgg-A0", "repvgg-A0_deploy", 120, PublishedCost{"9.11", "1.52"}, PublishedCost{"8.31", "1.36"}, 72.41, 90.50, weights + "repvgg-A0_3rdparty_4xb64-coslr-120e_in1k_20210909-883ab98c.pth"},
		{"RepVGG-A1", "repvgg-A1", "repvgg-A1_deploy", 120, PublishedCost{"14.09", "2.64"}, PublishedCost{"12.79", "2.37"}, 74.47, 91.85, weights + "repvgg-A1_3rdparty_4xb64-coslr-120e_in1k_20210909-24003a24.pth"},
		{"RepVGG-A2", "repvgg-A2", "repvgg-A2_deploy", 120, PublishedCost{"28.21", "5.7"}, PublishedCost{"25.5", "5.12"}, 76.48, 93.01, weights + "repvgg-A2_3rdparty_4xb64-coslr-120e_in1k_20210909-97d7695a.pth"},
		{"RepVGG-B0", "repvgg-B0", "repvgg-B0_deploy", 120, PublishedCost{"15.82", "3.42"}, PublishedCost{"14.34", "3.06"}, 75.14, 92.42, weights + "repvgg-B0_3rdparty_4xb64-coslr-120e_in1k_20210909-446375f4.pth"},
		{"RepVGG-B1", "repvgg-B1", "repvgg-B1_deploy", 120, PublishedCost{"57.42", "13.16"}, PublishedCost{"51.83", "11.82"}, 78.37, 94.11, weights + "repvgg-B1_3rdparty_4xb64-coslr-120e_in1k_20210909-750cdf67.pth"},
		{"RepVGG-B1g2", "repvgg-B1g2", "repvgg-B1g2_deploy", 120, PublishedCost{"45.78", "9.82"}, PublishedCost{"41.36", "8.82"}, 77.79, 93.88, weights + "repvgg-B1g2_3rdparty_4xb64-coslr-120e_in1k_20210909-344f6422.pth"},
		{"RepVGG-B1g4", "repvgg-B1g4", "repvgg-B1g4_deploy", 120, PublishedCost{"39.97", "8.15"}, PublishedCost{"36.13", "7.32"}, 77.58, 93.84, weights + "repvgg-B1g4_3rdparty_4xb64-coslr-120e_in1k_20210909-d4c1a642.pth"},
		{"RepVGG-B2", "repvgg-B2", "repvgg-B2_deploy", 120, PublishedCost{"89.02", "20.46"}, PublishedCost{"80.32", "18.39"}, 78.78, 94.42, weights + "repvgg-B2_3rdparty_4xb64-coslr-120e_in1k_20210909-bd6b937c.pth"},
		{"RepVGG-B2g4", "repvgg-B2g4", "repvgg-B2g4_deploy", 200, PublishedCost{"61.76", "12.63"}, PublishedCost{"55.78", "11.34"}, 79.38, 94.68, weights + "repvgg-B2g4_3rdparty_4xb64-autoaug-lbs-mixup-coslr-200e_in1k_20210909-7b7955f0.pth"},
		{"RepVGG-B3", "repvgg-B3", "repvgg-B3_deploy", 200, PublishedCost{"123.09", "29.17"}, PublishedCost{"110.96", "26.22"}, 80.52, 95.26, weights + "repvgg-B3_3rdparty_4xb64-autoaug-lbs-mixup-coslr-200e_in1k_20210909-dda968bf.pth"},
		{"RepVGG-B3g4", "repvgg-B3g4", "repvgg-B3g4_deploy", 200, PublishedCost{"83.83", "17.9"}, PublishedCost{"75.63", "16.08"}, 80.22, 95.10, weights + "repvgg-B3g4_3rdparty_4xb64-autoaug-lbs-mixup-coslr-200e_in1k_20210909-4e54846a.pth"},
		{"RepVGG-D2se", "repvgg-D2se", "repvgg-D2se_deploy", 200, PublishedCost{"133.33", "36.56"}, PublishedCost{"120.39", "32.85"}, 81.81, 95.94, weights + "repvgg-D2se_3rdparty_4xb64-autoaug-lbs-mixup-coslr-200e_in1k_20210909-cf3139b7.pth"},
	}
}
