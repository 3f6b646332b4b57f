"""Writes resize_golden.json: hashes of what Pillow 9.4 and OpenCV 4.6 make of
seeded noise, for the test of the same name in internal/preprocess.

    python3 resize_golden.py > resize_golden.json

An image of w x h pixels from seed s holds, at byte i of its rows, the top byte
of SplitMix64's output number i + 1 from state s. Each line of the result is
one case: backend, interpolation, seed, w, h, new w, new h, and the first 16
digits of the SHA-256 of the resized bytes.
"""
import hashlib
import json
import random

import cv2
import numpy as np
import PIL
from PIL import Image

assert PIL.__version__.startswith('9.4'), PIL.__version__
assert cv2.__version__.startswith('4.6'), cv2.__version__

PILLOW = dict(nearest=Image.Resampling.NEAREST, bilinear=Image.Resampling.BILINEAR,
              bicubic=Image.Resampling.BICUBIC, box=Image.Resampling.BOX,
              lanczos=Image.Resampling.LANCZOS, hamming=Image.Resampling.HAMMING)
CV2 = dict(nearest=cv2.INTER_NEAREST, bilinear=cv2.INTER_LINEAR, bicubic=cv2.INTER_CUBIC,
           area=cv2.INTER_AREA, lanczos=cv2.INTER_LANCZOS4)


def noise(seed, w, h):
    with np.errstate(over='ignore'):
        i = np.arange(1, 3 * w * h + 1, dtype=np.uint64)
        z = np.uint64(seed) + i * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(56)).astype(np.uint8).reshape(h, w, 3)


def main():
    rng = random.Random(20)
    # Corners: whole ratios, one axis kept, one pixel, enlarging, extreme ratios.
    sizes = [(64, 48, 32, 24), (64, 48, 32, 12), (63, 45, 21, 15), (60, 40, 20, 20), (64, 48, 32, 23),
             (40, 30, 40, 17), (40, 30, 23, 30), (40, 30, 80, 60), (20, 30, 61, 29), (1, 1, 5, 7),
             (1, 9, 4, 3), (9, 1, 3, 4), (7, 5, 1, 1), (2, 2, 1, 1), (3, 3, 9, 9), (200, 3, 7, 9),
             (3, 200, 9, 7), (500, 375, 341, 256), (375, 500, 256, 341)]
    sizes += [tuple(rng.randint(1, 150) for _ in range(4)) for _ in range(14)]
    cases = []
    for names, backend in ((PILLOW, 'pillow'), (CV2, 'cv2')):
        for name, code in names.items():
            for n, (w, h, new_w, new_h) in enumerate(sizes):
                img = noise(n, w, h)
                if backend == 'pillow':
                    out = np.array(Image.fromarray(img).resize((new_w, new_h), code))
                else:
                    out = cv2.resize(img, (new_w, new_h), interpolation=code)
                digest = hashlib.sha256(out.tobytes()).hexdigest()[:16]
                cases.append([backend, name, n, w, h, new_w, new_h, digest])
    print('[\n' + ',\n'.join(json.dumps(c) for c in cases) + '\n]')


if __name__ == '__main__':
    main()
