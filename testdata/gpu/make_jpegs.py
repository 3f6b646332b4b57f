#!/usr/bin/env python3
"""Writes JPEG files of 500 x 375 pixels, and a list of them with labels, for an
end-to-end run: make_jpegs.py FOLDER COUNT. Needs numpy and Pillow."""
import concurrent.futures
import os
import sys

import numpy as np
from PIL import Image


def write(folder, i):
    rng = np.random.default_rng(i)
    # Smooth shapes with some noise: about as large as photographs when coded.
    small = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
    image = np.asarray(Image.fromarray(small).resize((500, 375), Image.BICUBIC)).astype(np.int16)
    image += rng.integers(-24, 25, image.shape, dtype=np.int16)
    Image.fromarray(np.clip(image, 0, 255).astype(np.uint8)).save(os.path.join(folder, f'{i:06}.jpg'), quality=90)


def main():
    folder, count = sys.argv[1], int(sys.argv[2])
    os.makedirs(folder, exist_ok=True)
    with concurrent.futures.ProcessPoolExecutor() as pool:
        list(pool.map(write, [folder] * count, range(count), chunksize=64))
    with open(os.path.join(folder, 'val.txt'), 'w') as f:
        f.writelines(f'{i:06}.jpg {i * 7919 % 1000}\n' for i in range(count))


if __name__ == '__main__':  # processes that are not forked read this file too
    main()
