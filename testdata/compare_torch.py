#!/usr/bin/python3
"""Loads two state dicts with PyTorch and fails unless they are the same: keys, order, types, bits, and _metadata.

  compare_torch.py OURS THEIRS
"""
import sys
import torch

ours, theirs = (torch.load(p, map_location='cpu') for p in sys.argv[1:])
assert type(ours) is type(theirs), (type(ours), type(theirs))
assert list(ours) == list(theirs), (list(ours), list(theirs))
for key, want in theirs.items():
    got = ours[key]
    assert got.dtype == want.dtype and got.shape == want.shape and got.stride() == want.stride(), key
    assert torch.equal(got.contiguous().view(torch.int32), want.contiguous().view(torch.int32)), key
assert ours._metadata == theirs._metadata and list(ours._metadata) == list(theirs._metadata), 'metadata'
print(f'torch {torch.__version__}: {len(ours)} tensors equal')
