"""Writes the hashes of a checkpoint's tensors.

    python3 deploy_hashes.py DEPLOY_PTH DEPLOY_SHA256_JSON

The list is in the order of the state dict: name, shape, and the SHA-256 of the
values as little-endian float32, row by row.
"""
import hashlib
import json
import sys

import torch


def main(src, dst):
    tensors = torch.load(src, map_location='cpu')
    rows = []
    for name, tensor in tensors.items():
        values = tensor.contiguous().numpy().astype('<f4').tobytes()
        rows.append({
            'name': name,
            'shape': list(tensor.shape),
            'sha256': hashlib.sha256(values).hexdigest(),
        })
    lines = ',\n'.join('  ' + json.dumps(row) for row in rows)
    with open(dst, 'w') as f:
        f.write(f'[\n{lines}\n]\n')


if __name__ == '__main__':
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
