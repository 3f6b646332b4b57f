#!/usr/bin/env python3
"""Writes small data sets in the formats of CIFAR and MNIST beside itself, and
expected.json: the labels, class names and arrays that they hold, and SHA-256
sums of what mmcv's steps make of the images. Wants numpy, OpenCV 4.6 and
Pillow 9.4 (Debian 12)."""
import gzip
import hashlib
import json
import os
import pickle
import struct

import cv2
import numpy as np
from PIL import Image

HERE = os.path.dirname(os.path.abspath(__file__))
rng = np.random.RandomState(7)


def picture(n, side, channels):
    """Images of waves and some noise: smooth enough to compress, and unlike each other."""
    y, x = np.mgrid[0:side, 0:side] / side
    f = rng.uniform(1, 6, (n, channels, 2, 1, 1))
    waves = np.sin(2 * np.pi * (f[:, :, 0] * x + f[:, :, 1] * y))
    noise = rng.randint(0, 30, (n, channels, side, side))
    return (110 + 110 * waves).astype(np.uint8) + noise.astype(np.uint8)


def python2(value):
    """A value as Python 2's pickle writes it in protocol 2: CIFAR's files."""
    if isinstance(value, dict):
        return b'}(' + b''.join(python2(k) + python2(v) for k, v in value.items()) + b'u'
    if isinstance(value, list):
        return b'](' + b''.join(python2(v) for v in value) + b'e'
    if isinstance(value, tuple):
        return b'(' + b''.join(python2(v) for v in value) + b't'
    if isinstance(value, bool):
        return b'\x88' if value else b'\x89'
    if value is None:
        return b'N'
    if isinstance(value, int):
        return b'J' + struct.pack('<i', value)
    if isinstance(value, str):
        value = value.encode('latin1')
    if isinstance(value, bytes):
        return b'T' + struct.pack('<i', len(value)) + value
    assert isinstance(value, np.ndarray) and value.dtype == np.uint8
    fortran = not value.flags.c_contiguous
    dtype = b'cnumpy\ndtype\n' + python2(('u1', 0, 1)) + b'R' + python2((3, '|', None, None, None, -1, -1, 0)) + b'b'
    return (b'cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n' + python2((0,)) + python2('b') + b'tR('
            + python2(1) + python2(value.shape) + dtype + python2(fortran)
            + python2(value.tobytes('F' if fortran else 'C')) + b'tb')


def write(path, data):
    path = os.path.join(HERE, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'wb') as f:
        f.write(data)


def cifar(path, entry, as_python3=False):
    data = pickle.dumps(entry, 2) if as_python3 else b'\x80\x02' + python2(entry) + b'.'
    back = pickle.loads(data, encoding='latin1')
    for k, v in entry.items():
        assert np.array_equal(back[k], v), k
    write(path, data)


def idx(array):
    return struct.pack('>HBB', 0, 8, array.ndim) + struct.pack('>%dI' % array.ndim, *array.shape) + array.tobytes()


def resize(img, h, w, backend, name):
    if backend == 'cv2':
        code = {'nearest': cv2.INTER_NEAREST, 'bilinear': cv2.INTER_LINEAR, 'bicubic': cv2.INTER_CUBIC,
                'area': cv2.INTER_AREA, 'lanczos': cv2.INTER_LANCZOS4}[name]
        return cv2.resize(img, (w, h), interpolation=code)
    return np.array(Image.fromarray(img).resize((w, h), getattr(Image.Resampling, name.upper())))


def normalize(img, mean, std, to_rgb):
    """mmcv.imnormalize. On an image of one channel cvtColor fills a new one of
    three, and the image stays as it is."""
    img = img.copy().astype(np.float32)
    if to_rgb:
        cv2.cvtColor(img, cv2.COLOR_BGR2RGB, img)
    cv2.subtract(img, np.float64(np.float32([mean])), img)
    cv2.multiply(img, 1 / np.float64(np.float32([std])), img)
    return img


def to_tensor(img):
    if img.ndim < 3:
        img = img[..., None]
    return np.ascontiguousarray(img.transpose(2, 0, 1), dtype=np.float32)


def sha(arrays):
    h = hashlib.sha256()
    for a in arrays:
        h.update(np.ascontiguousarray(a).tobytes())
    return h.hexdigest()


CIFAR_NORM = dict(mean=[125.307, 122.961, 113.8575], std=[51.5865, 50.847, 51.255])


def tensors(images, backend, name, h, w, mean, std, to_rgb):
    out = []
    for img in images:
        if backend:
            img = resize(img, h, w, backend, name)
        out.append(to_tensor(normalize(img, mean, std, to_rgb) if mean else img.astype(np.float32)))
    return sha(out)


def main():
    expected = {'sets': {}, 'tensors': [], 'grey': []}

    def record(name, images, labels, classes):
        expected['sets'][name] = {'images': sha(images), 'labels': labels, 'classes': classes}

    # CIFAR-10: a file as Python 2 wrote it, and train batches of both kinds.
    ten = ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck']
    batches = {}
    for i, name in enumerate(['test_batch'] + ['data_batch_%d' % k for k in range(1, 6)]):
        n = 5 if i == 0 else 1
        images, labels = picture(n, 32, 3), [int(v) for v in rng.randint(0, 10, n)]
        entry = {'batch_label': 'a batch', 'labels': labels, 'data': images.reshape(n, 3072),
                 'filenames': ['%d.png' % k for k in range(n)]}
        cifar('cifar-10-batches-py/' + name, entry, as_python3=i % 2 == 1)
        batches[name] = images.transpose(0, 2, 3, 1), labels
    cifar('cifar-10-batches-py/batches.meta', {'num_cases_per_batch': 10000, 'label_names': [c + '!' for c in ten], 'num_vis': 3072})
    images10, labels10 = batches['test_batch']
    record('CIFAR10 test', images10, labels10, [c + '!' for c in ten])
    train = [batches['data_batch_%d' % k] for k in range(1, 6)]
    record('CIFAR10 train', [i for b in train for i in b[0]], [v for b in train for v in b[1]], [c + '!' for c in ten])

    # CIFAR-100: the array column by column, and no meta file.
    images, labels = picture(3, 32, 3), [99, 0, 42]
    cifar('cifar-100-python/test', {'fine_labels': labels, 'coarse_labels': [1, 2, 3],
                                    'data': np.asfortranarray(images.reshape(3, 3072))})
    record('CIFAR100 test', images.transpose(0, 2, 3, 1), labels, None)

    # MNIST as it is, FashionMNIST compressed.
    mnist, labels = picture(6, 28, 1)[:, 0], [7, 2, 1, 0, 4, 9]
    write('mnist/t10k-images-idx3-ubyte', idx(mnist))
    write('mnist/t10k-labels-idx1-ubyte', idx(np.uint8(labels)))
    record('MNIST test', mnist, labels, None)
    fashion, labels = picture(2, 28, 1)[:, 0], [9, 3]
    for name, array in ('train-images-idx3-ubyte', fashion), ('train-labels-idx1-ubyte', np.uint8(labels)):
        write('fashion/%s.gz' % name, gzip.compress(idx(array), mtime=0))
    record('FashionMNIST train', fashion, labels, None)

    # What the pipelines make of them. No mean: no Normalize step.
    for name, images, cases in [
        ('CIFAR10', images10, [
            (None, '', 0, 0, CIFAR_NORM['mean'], CIFAR_NORM['std'], False),
            (None, '', 0, 0, CIFAR_NORM['mean'], CIFAR_NORM['std'], True),
            (None, '', 0, 0, [], [], False),
            ('cv2', 'bilinear', 40, 48, CIFAR_NORM['mean'], CIFAR_NORM['std'], False),
            ('pillow', 'bicubic', 20, 21, CIFAR_NORM['mean'], CIFAR_NORM['std'], True),
        ]),
        ('MNIST', mnist, [
            ('cv2', 'bilinear', 32, 32, [33.46], [78.87], True),
            ('cv2', 'bilinear', 32, 32, [33.46], [78.87], False),
            ('pillow', 'bilinear', 20, 32, [33.46], [78.87], True),
            (None, '', 0, 0, [33.46], [78.87], False),
            (None, '', 0, 0, [], [], False),
        ]),
    ]:
        for backend, filter_name, h, w, mean, std, to_rgb in cases:
            expected['tensors'].append({
                'set': name, 'backend': backend, 'filter': filter_name, 'height': h, 'width': w, 'mean': mean,
                'std': std, 'to_rgb': to_rgb, 'sha': tensors(images, backend, filter_name, h, w, mean, std, to_rgb)})

    # Resizing images of one channel: sample i of image k is byte i of MD5s, so
    # that the test can make the same.
    for backend, names in [('cv2', ['nearest', 'bilinear', 'bicubic', 'area', 'lanczos']),
                           ('pillow', ['nearest', 'bilinear', 'bicubic', 'box', 'lanczos', 'hamming'])]:
        for name in names:
            for h, w, oh, ow in [(28, 28, 32, 32), (28, 28, 14, 14), (28, 28, 56, 84), (31, 29, 12, 17), (9, 40, 23, 11), (30, 33, 30, 11), (64, 48, 16, 12)]:
                noise = b''.join(hashlib.md5(b'%d' % i).digest() for i in range((h * w + 15) // 16))
                img = np.frombuffer(noise[:h * w], np.uint8).reshape(h, w)
                expected['grey'].append([backend, name, h, w, oh, ow, sha([resize(img, oh, ow, backend, name)])[:16]])
    with open(os.path.join(HERE, 'expected.json'), 'w') as f:
        f.write('{\n"sets": ' + json.dumps(expected['sets']) + ',\n"tensors": [\n'
                + ',\n'.join(map(json.dumps, expected['tensors'])) + '\n],\n"grey": [\n'
                + ',\n'.join(map(json.dumps, expected['grey'])) + '\n]}\n')


main()
