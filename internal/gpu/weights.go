//go:build cgo && unix

package gpu

import (
	"fmt"

	"repvgg/internal/gpu/cuda"
	"repvgg/internal/model"
	"repvgg/internal/tensor"
)

// layer is a block with its weights on the device.
type layer struct {
	*model.Block
	in, out        int
	main, side     deviceConv // see hostLayer
	scale          cuda.Ptr   // of the identity branch; 0 if there is none
	reduce, expand deviceConv
}

// deviceConv is a hostConv on the device. A linear layer has its weights and bias in
// float32. A convolution has its weights in the maps' precision, and its bias both
// in float32 and in that.
type deviceConv struct {
	shape                    model.Conv
	weight, bias, narrowBias cuda.Ptr
}

// deviceWeights are all weights of a plan, on the device.
type deviceWeights struct {
	layers []*layer
	head   deviceConv
	all    []*cuda.Ptr
}

func (w *deviceWeights) free(d *cuda.Device) {
	for _, p := range w.all {
		d.Free(p)
	}
	*w = deviceWeights{}
}

// uploadWeights reads and uploads one block after the other, so that the host holds
// the weights of one block at most.
func uploadWeights(r *Runner, source tensor.Source) (*deviceWeights, error) {
	w := new(deviceWeights)
	if err := w.upload(r, source); err != nil {
		w.free(r.d)
		return nil, err
	}
	return w, nil
}

func (w *deviceWeights) upload(r *Runner, source tensor.Source) error {
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

func (w *deviceWeights) layer(r *Runner, l *layer, host *hostLayer) error {
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

func (w *deviceWeights) conv(r *Runner, c *deviceConv, host hostConv) error {
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

func (w *deviceWeights) linear(r *Runner, c *deviceConv, host hostConv) error {
	if err := w.put(r, &c.weight, host.weight, fp32); err != nil {
		return err
	}
	return w.put(r, &c.bias, host.bias, fp32)
}

// put uploads values.
func (w *deviceWeights) put(r *Runner, to *cuda.Ptr, values []float32, p precision) error {
	data := encode(values, p)
	var err error
	if *to, err = r.d.Alloc(int64(len(data))); err != nil {
		return err
	}
	w.all = append(w.all, to)
	return r.compute.Upload(*to, data)
}
