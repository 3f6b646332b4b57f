package convert

import (
	"slices"
	"strconv"
	"strings"

	"repvgg/internal/checkpoint"
	"repvgg/internal/tensor"
)

// Naming is one of the ways in which frameworks name the tensors of a RepVGG. A
// tensor of a block is BLOCK.PART.LEAF: stage1.0.rbr_dense.bn.weight.
type Naming struct {
	// ID is what --names takes.
	ID string
	// Owner has these names, as a message tells it.
	Owner string

	stem   string // the first block
	stages string // what stands before the numbers of a stage and of a block in it
	first  int    // the number of the first stage
	head   string
	// parts of a block, in one order for all.
	parts [8]string
}

// The namings that checkpoints are read with. Plans have MMClassification's.
var (
	MMClassification = &Naming{
		ID: "mmcls", Owner: "MMClassification",
		stem: "backbone.stem", stages: "backbone.stage_", first: 1, head: "head.fc",
		parts: [...]string{
			"branch_3x3.conv", "branch_3x3.norm", "branch_1x1.conv", "branch_1x1.norm", "branch_norm",
			"branch_reparam", "se_layer.conv1.conv", "se_layer.conv2.conv",
		},
	}
	Official = &Naming{
		ID: "official", Owner: "the official RepVGG code",
		stem: "stage0", stages: "stage", first: 1, head: "linear",
		parts: [...]string{
			"rbr_dense.conv", "rbr_dense.bn", "rbr_1x1.conv", "rbr_1x1.bn", "rbr_identity",
			"rbr_reparam", "se.down", "se.up",
		},
	}
	Timm = &Naming{
		ID: "timm", Owner: "timm",
		stem: "stem", stages: "stages.", first: 0, head: "head.fc",
		parts: [...]string{
			"conv_kxk.conv", "conv_kxk.bn", "conv_1x1.conv", "conv_1x1.bn", "identity",
			"reparam_conv", "attn.fc1", "attn.fc2",
		},
	}
)

// Namings are all of them, the default first.
var Namings = []*Naming{MMClassification, Official, Timm}

// Open opens a checkpoint, or the averaged weights that a training run kept in
// it, and gives the tensors the names of plans.
func Open(path string, averaged bool) (*checkpoint.File, error) {
	open := checkpoint.Open
	if averaged {
		open = checkpoint.OpenAveraged
	}
	c, err := open(path)
	if err != nil {
		return nil, err
	}
	if from := NamingOf(c); from != MMClassification {
		err = c.Rename(func(name string) string { return translate(name, from, MMClassification) })
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// NamingOf is the naming of a checkpoint's blocks in the file; that of plans if
// none fits or several do.
func NamingOf(c *checkpoint.File) *Naming {
	if found := namingsOf(c); len(found) == 1 {
		return found[0]
	}
	return MMClassification
}

// namingsOf are the namings of which a checkpoint's file has blocks.
func namingsOf(c *checkpoint.File) []*Naming {
	var found []*Naming
	for _, n := range Namings {
		if slices.ContainsFunc(c.Names, func(name string) bool {
			p, ok := n.place(c.Tensors[name].Name)
			return ok && p.stage != headStage
		}) {
			found = append(found, n)
		}
	}
	return found
}

// Named gives tensors, named as plans name them, the names of n.
func (n *Naming) Named(specs []tensor.Spec) []tensor.Spec {
	named := slices.Clone(specs)
	for i := range named {
		named[i].Name = translate(named[i].Name, MMClassification, n)
	}
	return named
}

// place is where a tensor stands in the network, whatever its name.
type place struct {
	stage int // from 1, 0 for the stem, or headStage
	block int
	part  int // an index of Naming.parts
	leaf  string
}

const headStage = -1

// translate gives the name in one naming of a tensor that another names; what is
// no tensor of a RepVGG keeps its name.
func translate(name string, from, to *Naming) string {
	if p, ok := from.place(name); ok {
		return to.name(p)
	}
	return name
}

func (n *Naming) name(p place) string {
	switch p.stage {
	case headStage:
		return n.head + "." + p.leaf
	case 0:
		return n.stem + "." + n.parts[p.part] + "." + p.leaf
	}
	return n.stages + strconv.Itoa(p.stage-1+n.first) + "." + strconv.Itoa(p.block) + "." + n.parts[p.part] + "." + p.leaf
}

// place takes a name apart.
func (n *Naming) place(name string) (p place, ok bool) {
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 {
		return p, false
	}
	name, p.leaf = name[:dot], name[dot+1:]
	if name == n.head {
		p.stage = headStage
		return p, true
	}
	for i, part := range n.parts {
		block, ok := strings.CutSuffix(name, "."+part)
		if !ok {
			continue
		}
		p.part = i
		if block == n.stem {
			return p, true
		}
		numbers, ok := strings.CutPrefix(block, n.stages)
		stage, index, dotted := strings.Cut(numbers, ".")
		if !ok || !dotted {
			return p, false
		}
		s, okStage := number(stage)
		p.block, ok = number(index)
		p.stage = s - n.first + 1
		return p, okStage && ok && p.stage >= 1
	}
	return p, false
}

// number reads digits as they are written: no sign, no 0 in front.
func number(text string) (n int, ok bool) {
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= 0 && strconv.Itoa(n) == text
}
