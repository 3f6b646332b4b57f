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
	config  string   // as the user named it
	path    string   // absolute
	files   []string // that it was read from
	variant string
	plan    *model.Plan
	forms   []model.Form
	// published is the row of the published table for exactly this network, or nil.
	published *repvgg.Published
}

// networks reads the configs. Configs of the same network are merged, with the
// forms of all of them.
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
		networks[same].files = append(networks[same].files, n.files...)
		h.note(General, "config %q is the same network as %q: it is measured once", name, networks[same].config)
	}
	makeUnique(networks)
	return networks, nil
}

// makeUnique lengthens equal names of networks with folders from their paths, until
// they differ. Names of published variants stay as they are.
func makeUnique(networks []benchNetwork) {
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

// lastOf returns the last parts of a path: the file and the folders above it.
func lastOf(path string, parts int) string {
	all := strings.Split(filepath.ToSlash(path), "/")
	return strings.Join(all[max(0, len(all)-parts):], "/")
}

func samePlan(a, b *model.Plan) bool {
	return reflect.DeepEqual(a.As(model.Train), b.As(model.Train))
}

// readNetwork reads a config and looks up its published figures.
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
	n := &benchNetwork{config: name, path: path, files: r.Files(), plan: r.Network, variant: baseName(path)}
	for _, p := range repvgg.Zoo() {
		if p.Name != "RepVGG-"+r.Arch {
			continue
		}
		// A change such as another head makes it a different network.
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

// describe adds the network's published figures to a row.
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
