//go:build cgo && unix

package gpu

import (
	"fmt"

	"repvgg/internal/model"
	"repvgg/internal/tensor"
)

// layer is a block with its weights on the device.
type layer struct {
	*model.Block
	in, out        int
	main, side     deviceConv // see hostLayer
	scale          devptr     // of the identity branch; 0 without
	reduce, expand deviceConv
}

// deviceConv is hostConv on the device. Linear layers have weights and bias of
// float32, convolutions weights of the maps' precision and both kinds of bias.
type deviceConv struct {
	shape                    model.Conv
	weight, bias, narrowBias devptr
}

// weights are all of a plan, uploaded once.
type weights struct {
	layers []*layer
	head   deviceConv
	all    []*devptr
}

func (w *weights) free(d *device) {
	for _, p := range w.all {
		d.free(p)
	}
	*w = weights{}
}

// uploadWeights reads and uploads block by block, so that the host never holds
// more than one.
func uploadWeights(r *Runner, source tensor.Source) (*weights, error) {
	w := new(weights)
	if err := w.upload(r, source); err != nil {
		w.free(r.d)
		return nil, err
	}
	return w, nil
}

func (w *weights) upload(r *Runner, source tensor.Source) error {
	p := &packer{plan: r.plan, weights: source, widths: r.widths}
	for i := range r.plan.Depth {
		host, err := p.layer(i)
		if err != nil {
			return err
		}
		l := &layer{Block: host.Block, in: host.in, out: host.out}
		w.layers = append(w.layers, l)
		if err := w.layer(r, l, host); err != nil {
			return fmt.Errorf("uploading block %q: %w", l.Name, err)
		}
	}
	if r.plan.Head == nil {
		return nil
	}
	host, err := p.head()
	if err == nil {
		err = w.linear(r, &w.head, host)
	}
	if err != nil {
		return fmt.Errorf("uploading the head: %w", err)
	}
	return nil
}

func (w *weights) layer(r *Runner, l *layer, host *hostLayer) error {
	if err := w.conv(r, &l.main, host.main); err != nil {
		return err
	}
	if host.side.weight != nil {
		if err := w.conv(r, &l.side, host.side); err != nil {
			return err
		}
	}
	if host.scale != nil {
		if err := w.put(r, &l.scale, host.scale, fp32); err != nil {
			return err
		}
	}
	if host.reduce.weight == nil {
		return nil
	}
	if err := w.linear(r, &l.reduce, host.reduce); err != nil {
		return err
	}
	return w.linear(r, &l.expand, host.expand)
}

func (w *weights) conv(r *Runner, c *deviceConv, host hostConv) error {
	c.shape = host.shape
	for _, v := range [][]float32{host.weight, host.bias} {
		if err := r.precision.fits("a convolution", v); err != nil {
			return err
		}
	}
	if err := w.put(r, &c.weight, host.weight, r.precision); err != nil {
		return err
	}
	if err := w.put(r, &c.bias, host.bias, fp32); err != nil {
		return err
	}
	return w.put(r, &c.narrowBias, host.bias, r.precision)
}

func (w *weights) linear(r *Runner, c *deviceConv, host hostConv) error {
	if err := w.put(r, &c.weight, host.weight, fp32); err != nil {
		return err
	}
	return w.put(r, &c.bias, host.bias, fp32)
}

// put uploads values.
func (w *weights) put(r *Runner, to *devptr, values []float32, p precision) error {
	data := convert(values, p)
	var err error
	if *to, err = r.d.alloc(int64(len(data))); err != nil {
		return err
	}
	w.all = append(w.all, to)
	return r.d.upload(*to, data, r.compute)
}
