#!/usr/bin/env python3
"""Images a second of the input side in Python, to compare with BenchmarkInput
of internal/eval: each of N processes reads its share of the JPEG files, decodes
them with OpenCV, resizes with Pillow, crops and normalises with numpy, as
MMClassification's usual test pipeline does.

    python3 input_bench.py FOLDER [processes [images]]

Prints images/s of the whole (best of five rounds), and ms/image of each stage in
one process. OpenCV's own threads are off, as in the original.
"""
import glob
import multiprocessing
import os
import sys
import time

import cv2
import numpy as np
from PIL import Image

MEAN = np.array([123.675, 116.28, 103.53], np.float32)
STD = np.array([58.395, 57.12, 57.375], np.float32)


def read(path):
    with open(path, 'rb') as f:
        return np.frombuffer(f.read(), np.uint8)


def decode(data):
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


def resize_crop(img):
    h, w = img.shape[:2]
    if min(h, w) != 256:
        h, w = (int(256 * h / w), 256) if w < h else (256, int(256 * w / h))
        img = np.array(Image.fromarray(img).resize((w, h), Image.Resampling.BILINEAR))
    y, x = max(0, int(round((h - 224) / 2.))), max(0, int(round((w - 224) / 2.)))
    return img[y:y + 224, x:x + 224]


def normalize(img):
    img = img[..., ::-1].astype(np.float32)
    return np.ascontiguousarray(((img - MEAN) / STD).transpose(2, 0, 1))


def work(paths):
    cv2.setNumThreads(0)
    for path in paths:
        normalize(resize_crop(decode(read(path))))
    return len(paths)


def main():
    folder = sys.argv[1]
    processes = int(sys.argv[2]) if len(sys.argv) > 2 else os.cpu_count()
    images = int(sys.argv[3]) if len(sys.argv) > 3 else 1000
    files = sorted(glob.glob(os.path.join(folder, '*.[jJ]*')))
    paths = (files * (images // len(files) + 1))[:images]
    # Chunks of 32, as a loader hands out batches.
    chunks = [paths[i:i + 32] for i in range(0, len(paths), 32)]
    with multiprocessing.Pool(processes) as pool:
        pool.map(work, chunks[:2 * processes], chunksize=1)
        best = 0
        for _ in range(5):
            start = time.perf_counter()
            n = sum(pool.imap_unordered(work, chunks, chunksize=1))
            best = max(best, n / (time.perf_counter() - start))
    print('%d processes: %.1f images/s' % (processes, best))
    times, value = {}, None
    for path in paths[:300]:
        value = path
        for stage in read, decode, resize_crop, normalize:
            start = time.perf_counter()
            value = stage(value)
            times[stage.__name__] = times.get(stage.__name__, 0) + time.perf_counter() - start
    for name, total in times.items():
        print('  %-12s %7.3f ms/image' % (name, total / min(300, len(paths)) * 1e3))


if __name__ == '__main__':
    main()
