#!/usr/bin/env python3
"""PyTorch on a GPU, as a yardstick for repvgg bench --device cuda.

    torch_gpu.py A0 B1 [--batch 128 1] [--form deploy] [--precision fp16 bf16]
                       [--compile] [--seconds 2]

Prints a line of JSON for each network, setting and way to run it as soon as it
is measured: eager (channels_last, cudnn.benchmark) and the same as a CUDA graph;
with --compile instead torch.compile(mode="max-autotune") with static shapes, which
takes minutes.
Weights are random and the images lie on the GPU already, as for repvgg bench.

latency_ms is the median of runs that are waited for one by one; images_per_s is
the better of that and of runs that are queued twenty at a time.
"""
import argparse
import json
import statistics
import sys
import time

import torch

import nets

TYPES = {'fp32': torch.float32, 'tf32': torch.float32, 'fp16': torch.float16, 'bf16': torch.bfloat16}


def seconds_of(f):
    torch.cuda.synchronize()
    start = time.perf_counter()
    f()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def measure(f, seconds):
    def queue():
        for _ in range(20):
            f()

    for _ in range(5):
        f()
    single, queued = [], []
    end = time.perf_counter() + seconds
    while len(single) < 10 or time.perf_counter() < end:
        single.append(seconds_of(f))
    end = time.perf_counter() + seconds
    while len(queued) < 3 or time.perf_counter() < end:
        queued.append(seconds_of(queue) / 20)
    return statistics.median(single), statistics.median(queued)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('archs', nargs='+')
    p.add_argument('--batch', nargs='+', type=int, default=[128, 1])
    p.add_argument('--form', nargs='+', default=['deploy'], choices=['train', 'deploy'])
    p.add_argument('--precision', nargs='+', default=['fp16', 'bf16'], choices=sorted(TYPES))
    p.add_argument('--compile', action='store_true')
    p.add_argument('--seconds', type=float, default=2)
    args = p.parse_args()
    if not torch.cuda.is_available():
        sys.exit('torch_gpu.py: PyTorch sees no GPU')
    torch.backends.cudnn.benchmark = True
    machine = dict(torch=torch.__version__, cudnn=torch.backends.cudnn.version(), gpu=torch.cuda.get_device_name())
    for arch in args.archs:
        for form in args.form:
            for precision in args.precision:
                tf32 = precision == 'tf32'
                torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = tf32
                net = nets.build(arch, form).to('cuda', TYPES[precision], memory_format=torch.channels_last)
                for batch in args.batch:
                    x = torch.randn(batch, 3, 224, 224, device='cuda').to(TYPES[precision], memory_format=torch.channels_last)
                    for kind in ['compile'] if args.compile else ['eager', 'graph']:
                        run = net
                        if kind == 'compile':
                            torch._dynamo.reset()
                            run = torch.compile(net, mode='max-autotune', dynamic=False)
                        start = time.perf_counter()
                        with torch.inference_mode():
                            for _ in range(3):  # compiles, and captures where that is asked for
                                run(x)
                            torch.cuda.synchronize()
                            f = lambda: run(x)
                            if kind == 'graph':
                                graph = torch.cuda.CUDAGraph()
                                with torch.cuda.graph(graph):
                                    result = run(x)
                                f = graph.replay
                            torch.cuda.synchronize()
                            ready = time.perf_counter() - start
                            single, queued = measure(f, args.seconds)
                        print(json.dumps(dict(machine, kind=kind, arch=arch, form=form, precision=precision, batch_size=batch,
                                              latency_ms=round(single * 1e3, 4), images_per_s=round(batch / min(single, queued), 1),
                                              first_run_s=round(ready, 1))), flush=True)


main()
