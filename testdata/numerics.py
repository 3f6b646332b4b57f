#!/usr/bin/python3
"""Error of the engine's logits at 224x224 against float64 in PyTorch, for all published variants with random weights.

  numerics.py nets REPVGG TESTGEN TEST [ARCH ...]   REPVGG, TESTGEN, TEST: built by `make numerics`
  numerics.py points                                error of Winograd's algorithms with other points, by NumPy in float32

Errors are relative to an image's largest logit. PyTorch's own float32 stands beside ours.
"""
import os
import subprocess
import sys
import tempfile

import numpy as np

VARIANTS = 'A0 A1 A2 B0 B1 B1g2 B1g4 B2 B2g4 B3 B3g4 D2se'.split()
TRAIN = 'A0 B1g4 D2se'.split()
IMAGES, SIZE = 2, 224


def network(state, x):
    """A RepVGG as its definition reads, in the type of x. Blocks and branches are what the state dict has."""
    import torch
    from torch.nn import functional as F

    def get(name):
        return state[name].to(x.dtype)

    def norm(y, name):
        scale = get(name + '.weight') / torch.sqrt(get(name + '.running_var') + 1e-5)
        return (y - get(name + '.running_mean')[:, None, None]) * scale[:, None, None] + get(name + '.bias')[:, None, None]

    def block(name, x, stride):
        def conv(weight, bias, pad):
            w = get(weight)
            return F.conv2d(x, w, bias, stride, pad, groups=x.shape[1] // w.shape[1])

        if name + '.branch_reparam.weight' in state:
            y = conv(name + '.branch_reparam.weight', get(name + '.branch_reparam.bias'), 1)
        else:
            y = norm(conv(name + '.branch_3x3.conv.weight', None, 1), name + '.branch_3x3.norm')
            y = y + norm(conv(name + '.branch_1x1.conv.weight', None, 0), name + '.branch_1x1.norm')
            if name + '.branch_norm.weight' in state:
                y = y + norm(x, name + '.branch_norm')
        se = name + '.se_layer.conv'
        if se + '1.conv.weight' in state:
            s = F.relu(F.conv2d(y.mean((2, 3), keepdim=True), get(se + '1.conv.weight'), get(se + '1.conv.bias')))
            y = y * torch.sigmoid(F.conv2d(s, get(se + '2.conv.weight'), get(se + '2.conv.bias')))
        return F.relu(y)

    x = block('backbone.stem', x, 2)
    for stage in range(1, 5):
        i = 0
        while any(k.startswith(f'backbone.stage_{stage}.{i}.') for k in state):
            x = block(f'backbone.stage_{stage}.{i}', x, 1 if i else 2)
            i += 1
    return F.linear(x.mean((2, 3)), get('head.fc.weight'), get('head.fc.bias'))


def nets(repvgg, testgen, test, archs):
    import torch
    run = lambda *command, **kw: subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **kw)
    precisions = ['fp32', 'bf16']
    print('| network | form | ' + ' | '.join(precisions) + ' | PyTorch fp32 |\n|---|---|' + '---|' * (len(precisions) + 1))
    with tempfile.TemporaryDirectory() as tmp:
        path = lambda name: os.path.join(tmp, name)
        images = np.random.RandomState(1).randn(IMAGES, 3, SIZE, SIZE).astype('<f4')
        images.tofile(path('images'))
        x = torch.from_numpy(images)
        for arch in archs:
            run(testgen, 'repvgg-' + arch, path('train.pth'))
            run(repvgg, 'reparameterize', 'repvgg-' + arch, path('train.pth'), path('deploy.pth'))
            for form in ['deploy', 'train'] if arch in TRAIN else ['deploy']:
                state = torch.load(path(form + '.pth'))
                state = state.get('state_dict', state)
                with torch.no_grad():
                    want = network(state, x.double()).numpy()
                    results = {'PyTorch fp32': network(state, x).numpy()}
                del state
                for precision in precisions:
                    env = dict(os.environ, REPVGG_NUMERICS_CFG='repvgg-' + arch + ('_deploy' if form == 'deploy' else ''),
                               REPVGG_NUMERICS_CKPT=path(form + '.pth'), REPVGG_NUMERICS_INPUT=path('images'),
                               REPVGG_NUMERICS_OUTPUT=path('logits'), REPVGG_NUMERICS_PRECISION=precision)
                    try:
                        run(test, '-test.run', '^TestNumerics$', env=env)
                        results[precision] = np.fromfile(path('logits'), '<f4').reshape(want.shape)
                    except subprocess.CalledProcessError as error:
                        if b'bf16 needs a processor' not in error.stdout:
                            raise SystemExit(error.stdout.decode())
                cells = []
                for name in precisions + ['PyTorch fp32']:
                    if name not in results:
                        cells.append('-')
                        continue
                    error = np.abs(results[name] - want).max(1) / np.abs(want).max(1)
                    agree = (results[name].argmax(1) == want.argmax(1)).sum()
                    cells.append(f'{error.max():.1e}' + ('' if agree == IMAGES else f' ({agree} of {IMAGES} top-1)'))
                print(f'| {arch} | {form} | ' + ' | '.join(cells) + ' |', flush=True)


def matrices(points):
    """AT, G, BT of F(m, 3) by Toom and Cook, for m+1 points and infinity."""
    from fractions import Fraction
    p = [Fraction(v) for v in points]
    m = len(p) - 1
    at = [[v**i for v in p] + [int(i == m - 1)] for i in range(m)]
    g, bt = [], []
    for i, v in enumerate(p):
        others = p[:i] + p[i + 1:]
        scale = Fraction(1)
        for o in others:
            scale *= v - o
        g.append([v**k / scale for k in range(3)])
        bt.append([float(c) for c in polynomial(others)] + [0])
    g.append([0, 0, 1])
    bt.append([float(c) for c in polynomial(p)])
    return tuple(np.array(a, dtype=np.float64) for a in (at, g, bt))


def polynomial(roots):
    """Coefficients, constant first, of the monic polynomial with these roots."""
    c = [1]
    for r in roots:
        c = [a - r * b for a, b in zip([0] + c, c + [0])]
    return c


def points(size=30):
    # The layers of kernel's TestLayerErrors: inputs as after ReLU, He weights.
    sets = {'F(2), 0 ±1': [0, 1, -1], 'F(4), 0 ±5/8 ±3/2': [0, .625, -.625, 1.5, -1.5], 'F(4), 0 ±1 ±2': [0, 1, -1, 2, -2],
            'F(5), ±1/4 ±7/8 ±7/4': [.25, -.25, .875, -.875, 1.75, -1.75], 'F(6), 0 ±1/2 ±1 ±2': [0, .5, -.5, 1, -1, 2, -2]}
    rng = np.random.RandomState(1)
    widths = (48, 96, 192, 512)
    print('| algorithm | ' + ' | '.join(f'{c} channels' for c in widths) + ' |\n|---|' + '---|' * len(widths))
    rows = {name: [] for name in ['direct'] + list(sets)}
    for c in widths:
        x = np.maximum(rng.randn(c, size, size), 0).astype(np.float32)
        w = (rng.randn(c, c, 3, 3) * np.sqrt(2 / (9 * c))).astype(np.float32)

        def windows(a, n, step):
            padded = np.pad(a, ((0, 0), (1, n), (1, n)))
            count = -(-size // step)
            return np.stack([[padded[:, y * step:y * step + n, z * step:z * step + n] for z in range(count)] for y in range(count)])

        def direct(dtype):
            d = windows(x.astype(dtype), 3, 1).reshape(size * size, c * 9)
            return (d @ w.astype(dtype).reshape(c, c * 9).T).reshape(size, size, c)

        def winograd(pts):
            at, g, bt = matrices(pts)
            m, n = at.shape
            u = (g @ w.astype(np.float64) @ g.T).astype(np.float32)  # out, in, n, n
            at, bt = at.astype(np.float32), bt.astype(np.float32)
            d = windows(x, n, m)
            rows = d.shape[0]
            v = bt @ d.reshape(rows * rows, c, n, n) @ bt.T
            product = np.matmul(v.transpose(2, 3, 0, 1), np.ascontiguousarray(u.transpose(2, 3, 1, 0)))
            y = at @ product.transpose(2, 3, 0, 1) @ at.T  # tiles, out, m, m
            y = y.reshape(rows, rows, c, m, m).transpose(0, 3, 1, 4, 2).reshape(rows * m, rows * m, c)
            return y[:size, :size]

        want = direct(np.float64)
        for name in rows:
            d = (direct(np.float32) if name == 'direct' else winograd(sets[name])) - want
            rows[name].append(f'{np.abs(d).max() / np.abs(want).max():.1e}; {np.sqrt((d**2).mean() / (want**2).mean()):.1e}')
    for name, cells in rows.items():
        print(f'| {name} | ' + ' | '.join(cells) + ' |')


if sys.argv[1:2] == ['points']:
    points()
elif sys.argv[1:2] == ['nets'] and len(sys.argv) > 4:
    nets(*(os.path.abspath(p) for p in sys.argv[2:5]), sys.argv[5:] or VARIANTS)
else:
    sys.exit(__doc__)
