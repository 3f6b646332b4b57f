package cpu

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"repvgg/internal/cpu/kernel"
	"repvgg/internal/model"
	"repvgg/internal/tensor"
	"repvgg/internal/testkit"
)

// watched is a source that checks how it is read.
type watched struct {
	tensor.Source
	t      *testing.T
	before func(read int) error // is called before each read
	reads  int
	most   int // values of a read
	busy   atomic.Bool
}

func (w *watched) Rows(dst []float32, spec tensor.Spec, from, to int) error {
	if w.busy.Swap(true) {
		w.t.Error("two goroutines read at once")
	}
	defer w.busy.Store(false)
	w.reads++
	w.most = max(w.most, len(dst))
	if err := w.before(w.reads); err != nil {
		return err
	}
	return w.Source.Rows(dst, spec, from, to)
}

// streamed is a plan with large weights, a wide panel and all kinds of tensors.
func streamed(form model.Form) *model.Plan {
	return testkit.Plan(form, 40, testkit.Block(3, 64, 2, 1, 1, 0), testkit.Block(64, 1024, 2, 1, 2, 8), testkit.Block(1024, 80, 1, 1, 1, 0), testkit.Block(80, 80, 1, 1, 1, 0))
}

// However a network's weights are divided into reads, one goroutine makes them, and
// none is larger than what is kept of them.
func TestWeightsAreReadInParts(t *testing.T) {
	for _, form := range []model.Form{model.Train, model.Deploy} {
		p := streamed(form)
		for _, threads := range []int{1, 3, 20} {
			src := &watched{Source: testkit.Weights(p, 1), t: t, before: func(int) error { return nil }}
			r, err := New(p, src, Options{Threads: threads})
			if err != nil {
				t.Fatal(err)
			}
			if most := max(readLen, kernel.Lanes*1024*9); src.most > most || src.most < readLen/2 {
				t.Errorf("%v: a read of %d values, want up to %d", form, src.most, most)
			}
			want := src.reads
			checkRun(t, r, testkit.Network{Plan: p, Values: testkit.Weights(p, 1)}, 1, 9, 9)
			if r.Close(); src.reads != want {
				t.Errorf("%v: %d reads after New", form, src.reads-want)
			}
		}
	}
}

// An error of any read is that of New, with the layer's name, and the source is left
// alone from then on.
func TestWeightsThatCannotBeRead(t *testing.T) {
	failing := errors.New("the disk is gone")
	for _, form := range []model.Form{model.Train, model.Deploy} {
		p := streamed(form)
		values := testkit.Weights(p, 1)
		for last := 1; ; last++ {
			src := &watched{Source: values, t: t, before: func(read int) error {
				if read >= last {
					return failing
				}
				return nil
			}}
			r, err := New(p, src, Options{Threads: 2})
			if err == nil {
				r.Close()
				if last < 20 {
					t.Errorf("%v: there are only %d reads", form, last-1)
				}
				break
			}
			if !errors.Is(err, failing) || !strings.HasPrefix(err.Error(), "packing ") || src.reads != last {
				t.Fatalf("%v: read %d of %d fails: error %v", form, last, src.reads, err)
			}
		}
	}
}

// An interrupt is noticed at the next read, of which there are hundreds a second.
func TestPackingIsInterrupted(t *testing.T) {
	p := streamed(model.Deploy)
	values := testkit.Weights(p, 1)
	for _, last := range []int{1, 2, 5, 12, 20} {
		t.Run(fmt.Sprint(last), func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			src := &watched{Source: values, t: t, before: func(read int) error {
				if read == last {
					cancel()
				}
				return nil
			}}
			if _, err := New(p, tensor.Interruptible(ctx, src), Options{Threads: 2}); !errors.Is(err, context.Canceled) || src.reads != last {
				t.Errorf("interrupted in read %d of %d: error %v", last, src.reads, err)
			}
		})
	}
}

// Close gives the memory of packed weights back, which is not Go's.
func TestWeightsAreReleased(t *testing.T) {
	p := streamed(model.Deploy)
	r := newRunner(t, p, testkit.Weights(p, 1))
	packed := r.packed
	if len(packed) < 4 {
		t.Fatalf("%d convolutions have weights", len(packed))
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	for i, c := range packed {
		if c.Bytes() != 0 {
			t.Errorf("convolution %d has %d bytes of weights after Close", i, c.Bytes())
		}
	}
}
