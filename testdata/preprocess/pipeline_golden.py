"""Writes pipeline_golden.json: sizes and hashes of seeded noise after the steps
Resize and CenterCrop, for the test of the same name in internal/preprocess.
The rules are MMClassification 0.25's, the pixels are Pillow's and OpenCV's.

    python3 pipeline_golden.py > pipeline_golden.json

Each line is one case: the steps as a config has them, seed, w, h of the noise
of resize_golden.py, w, h of the result, and the first 16 digits of the SHA-256.
"""
import hashlib
import json
import random

import cv2
import numpy as np
from PIL import Image

from resize_golden import CV2, PILLOW, noise


def scaled(img, w, h, interpolation, backend):
    if backend == 'pillow':
        return np.array(Image.fromarray(img).resize((w, h), PILLOW[interpolation]))
    return cv2.resize(img, (w, h), interpolation=CV2[interpolation])


def resize(img, size, interpolation='bilinear', adaptive_side='short', backend='cv2'):
    h, w = img.shape[:2]
    if isinstance(size, int):
        return scaled(img, size, size, interpolation, backend)
    if size[1] != -1:
        return scaled(img, size[1], size[0], interpolation, backend)
    side = size[0]
    by_width = dict(short=w < h, long=w > h, width=True, height=False)[adaptive_side]
    kept = dict(short=min(h, w), long=max(h, w), width=w, height=h)[adaptive_side]
    if kept == side:
        return img
    if by_width:
        return scaled(img, side, int(side * h / w), interpolation, backend)
    return scaled(img, int(side * w / h), side, interpolation, backend)


def center_crop(img, crop_size, efficientnet_style=False, crop_padding=32, interpolation='bilinear', backend='cv2'):
    h, w = img.shape[:2]
    size = (crop_size, crop_size) if isinstance(crop_size, int) else crop_size
    ch, cw = size
    if efficientnet_style:
        ch, cw = (s / (s + crop_padding) * min(h, w) for s in size)
    top, left = (max(0, int(round((n - c) / 2.))) for n, c in ((h, ch), (w, cw)))
    bottom, right = int(min(h, top + ch) - 1), int(min(w, left + cw) - 1)
    img = img[top:bottom + 1, left:right + 1]
    if efficientnet_style:
        img = scaled(np.ascontiguousarray(img), size[1], size[0], interpolation, backend)
    return img


PIPELINES = [
    [('Resize', dict(size=20))],
    [('Resize', dict(size=20, backend='pillow'))],
    [('Resize', dict(size=(20, 31), interpolation='bicubic', backend='pillow'))],
    [('Resize', dict(size=(20, -1)))],
    [('Resize', dict(size=(41, -1), backend='pillow'))],
    [('Resize', dict(size=(20, -1), adaptive_side='short', interpolation='area'))],
    [('Resize', dict(size=(33, -1), adaptive_side='long'))],
    [('Resize', dict(size=(33, -1), adaptive_side='width', interpolation='lanczos', backend='pillow'))],
    [('Resize', dict(size=(33, -1), adaptive_side='height', interpolation='nearest'))],
    [('CenterCrop', dict(crop_size=30))],
    [('CenterCrop', dict(crop_size=(31, 16)))],
    [('CenterCrop', dict(crop_size=30, efficientnet_style=True))],
    [('CenterCrop', dict(crop_size=25, efficientnet_style=True, crop_padding=7, interpolation='bicubic', backend='pillow'))],
    [('CenterCrop', dict(crop_size=16, efficientnet_style=True, crop_padding=0))],
    [('Resize', dict(size=(40, -1), backend='pillow')), ('CenterCrop', dict(crop_size=32))],
    [('CenterCrop', dict(crop_size=50)), ('Resize', dict(size=(40, -1), backend='pillow')), ('CenterCrop', dict(crop_size=31))],
]


def main():
    rng = random.Random(8)
    sizes = [(20, 20), (33, 20), (20, 33), (33, 33), (41, 60), (60, 41), (61, 59), (31, 31)]
    sizes += [(rng.randint(15, 90), rng.randint(15, 90)) for _ in range(8)]
    cases = []
    for steps in PIPELINES:
        for seed, (w, h) in enumerate(sizes):
            img = noise(seed, w, h)
            for kind, options in steps:
                img = dict(Resize=resize, CenterCrop=center_crop)[kind](img, **options)
            text = ', '.join(f'dict(type={kind!r}, {", ".join(f"{k}={v!r}" for k, v in options.items())})' for kind, options in steps)
            cases.append([text, seed, w, h, img.shape[1], img.shape[0], hashlib.sha256(img.tobytes()).hexdigest()[:16]])
    print('[\n' + ',\n'.join(json.dumps(c) for c in cases) + '\n]')


if __name__ == '__main__':
    main()
