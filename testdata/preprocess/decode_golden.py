"""Writes decode_golden.json: small image files of many kinds, in base64, with
what OpenCV 4.6 decodes them to, for the test of the same name in
internal/preprocess.

    python3 decode_golden.py > decode_golden.json

Each line is one case: name, file, height, width, and the SHA-256 of the RGB
bytes; the last three are null where OpenCV refuses the file.
"""
import base64
import hashlib
import io
import json
import struct
import zlib

import cv2
import numpy as np
from PIL import Image

assert cv2.__version__.startswith('4.6'), cv2.__version__
rng = np.random.RandomState(5)
CASES = []


def case(name, data):
    try:
        img = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        img = None
    text = base64.b64encode(data).decode()
    if img is None:
        CASES.append([name, text, None, None, None])
    else:
        digest = hashlib.sha256(img[:, :, ::-1].tobytes()).hexdigest()
        CASES.append([name, text, img.shape[0], img.shape[1], digest])


def chunk(kind, data):
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))


ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def png(w, h, depth, colour, interlace=0, extra=b''):
    """A PNG of random samples: filter 0 and noise in every scan line."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    raw = b''
    for x0, y0, dx, dy in ADAM7 if interlace else [(0, 0, 1, 1)]:
        pw, ph = -(-(w - x0) // dx), -(-(h - y0) // dy)
        if pw > 0 and ph > 0:
            for _ in range(ph):
                raw += b'\0' + rng.bytes((pw * channels * depth + 7) // 8)
    head = struct.pack('>IIBBBBB', w, h, depth, colour, 0, 0, interlace)
    if colour == 3:
        extra = chunk(b'PLTE', rng.bytes(3 * 2**depth)) + extra
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', head) + extra + chunk(b'IDAT', zlib.compress(raw)) + chunk(b'IEND', b'')


def exif(order, entries):
    fmt = '<' if order == b'II' else '>'
    out = order + struct.pack(fmt + 'HIH', 42, 8, len(entries))
    for tag, kind, count, value in entries:
        out += struct.pack(fmt + 'HHI', tag, kind, count)
        out += struct.pack(fmt + ('HH' if kind == 3 else 'I'), *((value, 0) if kind == 3 else (value,)))
    return out + bytes(4)


def saved(img, fmt, **options):
    f = io.BytesIO()
    img.save(f, fmt, **options)
    return f.getvalue()


def main():
    for colour, depths in {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}.items():
        for depth in depths:
            for interlace in (0, 1):
                case(f'png colour {colour} depth {depth} interlace {interlace}', png(11, 9, depth, colour, interlace))
    case('png palette trns', png(11, 9, 8, 3, 0, chunk(b'tRNS', bytes([0, 100, 200]))))
    case('png palette 2 bits trns', png(11, 9, 2, 3, 1, chunk(b'tRNS', bytes([0, 100]))))
    case('png grey trns', png(11, 9, 8, 0, 0, chunk(b'tRNS', b'\0\x07')))
    case('png grey 2 bits trns', png(11, 9, 2, 0, 0, chunk(b'tRNS', b'\0\x01')))
    case('png grey 16 trns', png(11, 9, 16, 0, 0, chunk(b'tRNS', b'\0\x01')))
    case('png rgb trns', png(11, 9, 8, 2, 0, chunk(b'tRNS', b'\0\1\0\2\0\3')))
    case('png rgb 16 trns', png(11, 9, 16, 2, 1, chunk(b'tRNS', b'\0\1\0\2\0\3')))
    case('png gamma', png(11, 9, 8, 2, 0, chunk(b'gAMA', struct.pack('>I', 100000))))
    for o in range(0, 10):
        case(f'png exif {o}', png(4, 3, 8, 2, 0, chunk(b'eXIf', exif(b'II' if o % 2 else b'MM', [(274, 3, 1, o)]))))
    near = [(296, 3, 1, 2), (274, 3, 1, 6)]
    case('png exif second entry', png(4, 3, 8, 2, 0, chunk(b'eXIf', exif(b'II', near))))
    case('png exif twice', png(4, 3, 8, 2, 0, chunk(b'eXIf', exif(b'II', [(274, 3, 1, 6), (274, 3, 1, 3)]))))
    case('png exif after bad text', png(4, 3, 8, 2, 0, chunk(b'eXIf', exif(b'II', [(271, 2, 99, 5000), (274, 3, 1, 6)]))))
    case('png exif after short text', png(4, 3, 8, 2, 0, chunk(b'eXIf', exif(b'II', [(271, 2, 4, 5000), (274, 3, 1, 6)]))))
    case('png exif after bad ratio', png(4, 3, 8, 2, 0, chunk(b'eXIf', exif(b'II', [(282, 5, 1, 5000), (274, 3, 1, 6)]))))
    case('png exif before bad text', png(4, 3, 8, 2, 0, chunk(b'eXIf', exif(b'II', [(274, 3, 1, 6), (271, 2, 99, 5000)]))))
    case('png cut', png(11, 9, 8, 2)[:200])
    case('png empty', b'\x89PNG\r\n\x1a\n')

    rgb = Image.fromarray(rng.randint(0, 256, (9, 11, 3), np.uint8))
    rgba = Image.fromarray(rng.randint(0, 256, (9, 11, 4), np.uint8))
    grey = Image.fromarray(rng.randint(0, 256, (9, 11), np.uint8))
    for name, img in (('rgb', rgb), ('rgba', rgba), ('grey', grey), ('bilevel', grey.convert('1')), ('palette', rgb.quantize(16))):
        case('bmp ' + name, saved(img, 'BMP'))
        case('tiff ' + name, saved(img, 'TIFF'))
        case('tiff lzw ' + name, saved(img, 'TIFF', compression='tiff_lzw'))
        case('tiff deflate ' + name, saved(img, 'TIFF', compression='tiff_adobe_deflate'))
    for o in range(1, 9):
        e = Image.Exif()
        e[274] = o
        case(f'tiff orientation {o}', saved(rgb, 'TIFF', exif=e))
    case('bmp cut', saved(rgb, 'BMP')[:100])
    case('tiff cut', saved(rgb, 'TIFF')[:100])

    for name, data in {
            'P1': b'P1\n3 2\n1 0 1\n010\n', 'P4': b'P4\n11 2\n\xa5\x20\x5a\xc0',
            'P2': b'P2\n3 1\n255\n50 100 200\n', 'P3': b'P3\n2 1\n255\n1 2 3 4 5 6\n',
            'P5': b'P5\n3 1\n255\n\x01\x02\x03', 'P6': b'P6\n2 1\n255\n\x01\x02\x03\x04\x05\x06',
            'P2 maximum': b'P2\n3 1\n100\n50 100 200\n', 'P5 maximum': b'P5\n3 1\n100\n\x32\x64\xc8',
            'P3 maximum': b'P3\n2 1\n7\n1 2 3 4 5 6\n', 'P6 maximum': b'P6\n2 1\n7\n\x01\x02\x03\x04\x05\x06',
            'P2 16 bits': b'P2\n2 1\n1000\n1000 700\n', 'P5 16 bits': b'P5\n2 1\n65535\n\x01\x02\xfa\x03',
            'P6 16 bits': b'P6\n1 1\n1000\n\x01\x02\x03\x04\x00\x06', 'comments': b'P5 # a\n#b\n3 # c\n1\n255\n\x01\x02\x03',
            'crlf': b'P6\r\n1 1\r\n255\r\nabc', 'no end of line': b'P2\n3 1\n100\n50 100 7', 'short': b'P6\n2 2\n255\n123456789',
            'P4 short': b'P4\n11 2\n\xa5\x20\x5a', 'zero': b'P5\n0 1\n255\n\x01', 'maximum 0': b'P5\n1 1\n0\n\x01',
            'maximum 70000': b'P5\n1 1\n70000\n\x01\x02', 'letters': b'P5\nx 1\n255\n\x01', 'P7': b'P7\n1 1\n255\n\x01',
    }.items():
        case('pnm ' + name, data)
    case('nothing', b'\0')
    case('text', b'not an image')
    print('[\n' + ',\n'.join(json.dumps(c) for c in CASES) + '\n]')


if __name__ == '__main__':
    main()
