package app

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"repvgg/internal/bench"
	"repvgg/internal/model"
	"repvgg/internal/model/repvgg"
	"repvgg/internal/recipe"
)

// benchNetwork is a network to measure.
type benchNetwork struct {
	config  string // as the user named it
	path    string // absolute
	variant string
	plan    *model.Plan
	forms   []model.Form
	// published is the publisher's table row of this very network, or nil.
	published *repvgg.Published
}

// networks reads the configs. One that is named twice is there once, in all its
// forms.
func (b *Benchmark) networks(h Host) ([]benchNetwork, error) {
	names := slices.Clone(b.Configs)
	if b.Zoo {
		names = append(names, ofZoo()...)
	}
	var networks []benchNetwork
	for _, name := range distinct(names) {
		n, err := readNetwork(h, name, b.Overrides)
		if err != nil {
			return nil, err
		}
		n.forms = b.Forms
		if len(n.forms) == 0 {
			n.forms = []model.Form{model.Train, model.Deploy}
			if n.plan.Form == model.Deploy {
				n.forms = []model.Form{model.Deploy}
			}
		}
		same := slices.IndexFunc(networks, func(o benchNetwork) bool { return samePlan(o.plan, n.plan) })
		if same < 0 {
			networks = append(networks, *n)
			continue
		}
		merged := append(slices.Clone(networks[same].forms), n.forms...)
		slices.Sort(merged)
		networks[same].forms = slices.Compact(merged)
		h.note(General, "config %q is the same network as %q: it is measured once", name, networks[same].config)
	}
	tellApart(networks)
	return networks, nil
}

// tellApart lengthens the names of networks that have the same one, from the
// ends of their paths. Published names stay.
func tellApart(networks []benchNetwork) {
	for parts := 1; ; parts++ {
		count := make(map[string]int)
		for i := range networks {
			count[networks[i].variant]++
		}
		changed := false
		for i := range networks {
			n := &networks[i]
			longer := lastOf(n.path, parts)
			if count[n.variant] > 1 && n.published == nil && longer != n.variant {
				n.variant, changed = longer, true
			}
		}
		if !changed {
			return
		}
	}
}

// lastOf is the end of a path: a file with the folders above it, as many parts
// as are wanted or there are.
func lastOf(path string, parts int) string {
	all := strings.Split(filepath.ToSlash(path), "/")
	return strings.Join(all[max(0, len(all)-parts):], "/")
}

func samePlan(a, b *model.Plan) bool {
	return reflect.DeepEqual(a.As(model.Train), b.As(model.Train))
}

// readNetwork reads a config, and finds its published figures.
func readNetwork(h Host, name string, overrides []string) (*benchNetwork, error) {
	r, err := recipe.Load(name, overrides)
	if err != nil {
		return nil, err
	}
	h.NoteRecipe(r)
	path, err := filepath.Abs(r.Path)
	if err != nil {
		return nil, err
	}
	n := &benchNetwork{config: name, path: path, plan: r.Network, variant: baseName(path)}
	for _, p := range repvgg.Zoo() {
		if p.Name != "RepVGG-"+r.Arch {
			continue
		}
		// Another head, say, makes it another network.
		published, err := recipe.Load(p.TrainConfig, nil)
		if err != nil {
			return nil, err
		}
		if samePlan(r.Network, published.Network) {
			n.variant, n.published = r.Arch, &p
		}
	}
	return n, nil
}

func baseName(path string) string {
	base := filepath.Base(path)
	return strings.TrimSuffix(base, filepath.Ext(base))
}

// describe adds what is published of the network to a row of it.
func (n *benchNetwork) describe(row *bench.Row, form model.Form) {
	if n.published == nil {
		return
	}
	if row.InputSize == 224 {
		row.PublishedTop1Percent, row.PublishedTop5Percent = &n.published.Top1, &n.published.Top5
	}
	if text := n.published.Note(); text != "" && form == model.Deploy {
		row.Notes = append(row.Notes, text)
	}
}
