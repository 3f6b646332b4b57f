"""Writes JPEG files of many kinds into a folder, with what OpenCV decodes them
to, for TestOpenCV of internal/jpeg.

    /usr/bin/python3 corpus.py IMAGES FOLDER

IMAGES is a folder of further JPEG files. FOLDER/corpus.json lists every file:
name; kind: intact, cut (an intact one that ends early) or damaged (bytes of an
intact one changed); height, width and the SHA-256 of the RGB bytes, before EXIF
orientation, or null where OpenCV refuses the file; and whether OpenCV gave
uninitialized memory because not even the first row was decoded.
"""
import hashlib
import io
import json
import pathlib
import struct
import sys

import cv2
import numpy as np
from PIL import Image

from encoder import Encoder

assert cv2.__version__.startswith('4.6'), cv2.__version__
rng = np.random.RandomState(20)
CASES = []
FLAGS = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION


def decode(data):
    return cv2.imdecode(np.frombuffer(data, np.uint8), FLAGS)


def case(folder, name, kind, data):
    img = decode(data)
    row = dict(name=name, kind=kind, height=0, width=0, sha256=None, uninitialized=False)
    if img is not None:
        # Where decoding stops before the first row, every row is the same
        # memory; no source has such an image.
        same = kind != 'intact' and bool((img == img[:1]).all())
        row.update(height=img.shape[0], width=img.shape[1], uninitialized=same,
                   sha256=hashlib.sha256(img[:, :, ::-1].tobytes()).hexdigest())
    (folder / name).write_bytes(data)
    CASES.append(row)


def picture(h, w, channels=3):
    """Noise, gradients, flat areas with saturated colours and sharp edges."""
    y, x = np.mgrid[0:h, 0:w]
    planes = []
    for _ in range(channels):
        p = rng.uniform(-2, 2) * x + rng.uniform(-2, 2) * y + rng.uniform(0, 255)
        p = p + rng.choice([0, 3, 30, 200]) * rng.standard_normal((h, w))
        for _ in range(rng.randint(4)):
            x0, y0 = rng.randint(w), rng.randint(h)
            p[y0:y0 + rng.randint(1, h + 1), x0:x0 + rng.randint(1, w + 1)] = rng.choice([0, 60, 255])
        planes.append(p)
    out = np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8)
    return out[..., 0] if channels == 1 else out


def pil(img, mode, **options):
    f = io.BytesIO()
    Image.fromarray(img, mode).save(f, 'JPEG', **options)
    return f.getvalue()


def adobe(transform):
    return b'\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00' + bytes([transform])


def without_jfif(data, extra):
    n = struct.unpack('>H', data[4:6])[0]
    assert data[2:4] == b'\xff\xe0'
    return data[:2] + extra + data[4 + n:]


def intact():
    """Yields name and data."""
    number = 0
    sizes = [(h, w) for h in (1, 2, 3, 4, 5, 7, 8, 9) for w in (1, 2, 3, 4, 5, 6, 8, 9, 17)]
    sizes += [tuple(rng.randint(1, 71, 2)) for _ in range(120)]
    sizes += [(301, 200), (1, 999), (700, 3), (129, 255), (256, 256), (333, 500)]
    for h, w in sizes:
        sub = number % 3
        options = dict(quality=int(rng.choice([1, 5, 20, 50, 75, 90, 95, 100])), subsampling=sub,
                       progressive=bool(rng.randint(2)), optimize=bool(rng.randint(2)))
        kind = 'progressive' if options['progressive'] else 'baseline'
        yield f'{kind}_{("444", "422", "420")[sub]}_{number}_{w}x{h}', pil(picture(h, w), 'RGB', **options)
        number += 1
    for _ in range(40):
        h, w = rng.randint(1, 90, 2)
        options = dict(quality=int(rng.randint(1, 101)), progressive=bool(rng.randint(2)))
        yield f'gray_{number}_{w}x{h}', pil(picture(h, w, 1), 'L', **options)
        number += 1
    for _ in range(30):
        h, w = rng.randint(1, 90, 2)
        options = dict(quality=int(rng.randint(1, 101)), progressive=bool(rng.randint(2)),
                       subsampling=int(rng.randint(3)))
        data = pil(picture(h, w, 4), 'CMYK', **options)
        yield f'cmyk_{number}_{w}x{h}', data
        at = data.index(b'Adobe') + 11
        yield f'ycck_{number}_{w}x{h}', data[:at] + b'\x02' + data[at + 1:]
        at = data.index(b'\xff\xee')
        yield f'cmyk_no_adobe_{number}_{w}x{h}', data[:at] + data[at + 16:]
        number += 1
    for transform in (0, 1, 2):
        for sub in (0, 1, 2):
            data = pil(picture(45, 51), 'RGB', quality=90, subsampling=sub)
            yield f'adobe_{transform}_{number}', without_jfif(data, adobe(transform))
            yield f'adobe_jfif_{transform}_{number}', data[:2] + adobe(transform) + data[2:]
            yield f'no_marker_{number}', without_jfif(data, b'')
            number += 1
    for _ in range(60):
        h, w = rng.randint(1, 120, 2)
        options = [cv2.IMWRITE_JPEG_QUALITY, int(rng.randint(1, 101)), cv2.IMWRITE_JPEG_PROGRESSIVE, int(rng.randint(2)),
                   cv2.IMWRITE_JPEG_OPTIMIZE, int(rng.randint(2)), cv2.IMWRITE_JPEG_RST_INTERVAL, int(rng.randint(1, 9))]
        yield f'restart_{number}_{w}x{h}', cv2.imencode('.jpg', picture(h, w), options)[1].tobytes()
        number += 1

    encoder = Encoder(rng)
    one = (1, 1)
    samplings = [[(1, 2), one, one], [(4, 1), one, one], [(4, 2), one, one], [(2, 2), (1, 2), (1, 2)],
                 [(2, 2), (2, 1), (2, 1)], [(2, 2), (2, 1), (1, 2)], [(1, 4), one, one], [(2, 4), one, one],
                 [(2, 2), (2, 2), (2, 2)], [one, (2, 2), one], [(2, 1), (1, 2), one], [one, one, (2, 1)], [(4, 1), (2, 1), one]]
    for s in samplings:
        for h, w in ((1, 1), (3, 2), (16, 4), (17, 6), (33, 19), (70, 61)):
            options = dict(restart=int(rng.choice([0, 0, 3])), ids=(1, 2, 3))
            if rng.randint(3) == 0:
                options['separate'] = True
            yield f'encoder_{number}_{w}x{h}', encoder.encode(w, h, s, **options)
            number += 1
    for v in ((1, 1), (2, 2), (1, 3), (4, 4)):
        yield f'encoder_gray_{number}', encoder.encode(30, 37, [v])
        number += 1
    for s in ([one] * 4, [(2, 2), one, one, (2, 2)], [(2, 1), one, one, (2, 1)]):
        for extra in (b'', adobe(0), adobe(2), adobe(1)):
            yield f'encoder_4_{number}', encoder.encode(41, 39, s, extra=extra)
            number += 1
    yield 'encoder_rgb_ids', encoder.encode(20, 20, [one] * 3, ids=b'RGB')
    yield 'encoder_rgb_ids_subsampled', encoder.encode(41, 30, [(2, 2), one, one], ids=b'RGB')
    yield 'encoder_other_ids', encoder.encode(20, 20, [one] * 3, ids=b'xyz')
    yield 'encoder_fill_bytes', encoder.encode(20, 20, [one] * 3, extra=b'\xff\xff\xff\xff')
    yield 'encoder_garbage', encoder.encode(20, 20, [one] * 3, extra=b'\xff\xfe\x00\x04hi' + b'garbage')
    yield 'encoder_trailing', encoder.encode(20, 20, [one] * 3) + b'garbage' * 99


# What ends early or is damaged: files with several rows of blocks.
SOURCES = [('420', dict(subsampling=2)), ('444', dict(subsampling=0)), ('422', dict(subsampling=1)), ('gray', {}),
           ('progressive', dict(subsampling=2, progressive=True)), ('optimized', dict(subsampling=2, optimize=True))]


def sources():
    for name, options in SOURCES:
        gray = name == 'gray'
        for h, w in ((75, 90), (200, 37)):
            img = pil(picture(h, w, 1 if gray else 3), 'L' if gray else 'RGB', quality=85, **options)
            yield f'{name}_{w}x{h}', img
    yield 'cmyk', pil(picture(60, 70, 4), 'CMYK', quality=80)
    options = [cv2.IMWRITE_JPEG_RST_INTERVAL, 3]
    yield 'restart', cv2.imencode('.jpg', picture(90, 100), options)[1].tobytes()
    encoder = Encoder(rng)
    yield '440', encoder.encode(65, 70, [(1, 2), (1, 1), (1, 1)])
    yield '411', encoder.encode(65, 70, [(4, 1), (1, 1), (1, 1)])
    yield 'separate', encoder.encode(65, 70, [(2, 2), (1, 1), (1, 1)], separate=True)
    yield 'gray_v3', encoder.encode(65, 90, [(1, 3)])


def main():
    images, folder = map(pathlib.Path, sys.argv[1:])
    for path in sorted(images.glob('*.jpg')):
        case(folder, path.name, 'intact', path.read_bytes())
    for name, data in intact():
        case(folder, name + '.jpg', 'intact', data)
    for name, data in sources():
        n = len(data)
        cuts = sorted({n - k for k in range(1, 12)} | set(rng.randint(2, n, 40)) | set(rng.randint(n // 4, n, 20)))
        for cut in cuts:
            case(folder, f'cut_{name}_{cut}.jpg', 'cut', data[:cut])
        for i in range(25):
            changed = np.frombuffer(data, np.uint8).copy()
            for _ in range(rng.choice([1, 1, 3, 30])):
                changed[rng.randint(min(2 + n // 10 * (i % 7), n - 1), n)] = rng.choice([0, 0xff, 0xd0, 0xd9, rng.randint(256)])
            case(folder, f'damaged_{name}_{i}.jpg', 'damaged', changed.tobytes())
    (folder / 'corpus.json').write_text(json.dumps(CASES))


main()
