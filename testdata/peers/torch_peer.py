"""PyTorch as a peer of bench_peers.py, which starts it and talks to it:

    torch_peer.py VARIANT FORM BATCH THREADS fp32|bf16
    torch_peer.py VARIANT FORM BATCH --export FILE.onnx

Prints a line of JSON once it is ready. Then each line on stdin holds a time in
seconds, to which it answers with the milliseconds of each run that it did in
about that time. The layout of tensors is the one that was faster in a short
trial.
"""
import json
import sys
import time

import torch

import nets


def run(net, x):
    start = time.perf_counter()
    net(x)
    return (time.perf_counter() - start) * 1e3


def turn(net, x, seconds):
    run(net, x)  # what idling has cost is not counted
    end, times = time.perf_counter() + seconds, []
    while len(times) < 3 or time.perf_counter() < end:
        times.append(run(net, x))
    return times


def main():
    variant, form, batch = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if sys.argv[4] == '--export':
        nets.export(variant, form, batch, sys.argv[5])
        return
    torch.set_num_threads(int(sys.argv[4]))
    dtype = {'fp32': torch.float32, 'bf16': torch.bfloat16}[sys.argv[5]]
    choices = []
    with torch.inference_mode():
        for layout in (torch.channels_last, torch.contiguous_format):
            net = nets.build(variant, form).to(dtype=dtype, memory_format=layout)
            x = torch.randn(batch, 3, 224, 224).to(dtype=dtype, memory_format=layout)
            run(net, x)
            choices.append((min(run(net, x) for _ in range(3)), str(layout).replace('torch.', ''), net, x))
            del net, x
        _, layout, net, x = min(choices, key=lambda c: c[0])
        choices.clear()
        print(json.dumps({'version': torch.__version__, 'note': layout}), flush=True)
        for line in sys.stdin:
            print(json.dumps(turn(net, x, float(line))), flush=True)


main()
