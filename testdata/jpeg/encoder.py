"""A JPEG encoder for what the usual ones do not write: any sampling factors, any
component names, components in scans of their own. The picture is random: the
encoder draws coefficients rather than transforming samples."""
import io
import struct

import numpy as np
from PIL import Image


def segment(marker, body):
    return bytes([0xff, marker]) + struct.pack('>H', len(body) + 2) + body


def standard_tables():
    """The Huffman tables of the standard's annex K, as Pillow writes them: raw
    segments, and for each table a map from symbol to (code, length)."""
    f = io.BytesIO()
    Image.new('RGB', (8, 8)).save(f, 'JPEG')
    data, raw, codes, pos = f.getvalue(), b'', {}, 2
    while data[pos + 1] != 0xda:
        n = struct.unpack('>H', data[pos + 2:pos + 4])[0]
        if data[pos + 1] == 0xc4:
            raw += data[pos:pos + 2 + n]
            body = data[pos + 4:pos + 2 + n]
            while body:
                table, code, at = {}, 0, 17
                for length in range(1, 17):
                    for _ in range(body[length]):
                        table[body[at]] = (code, length)
                        code, at = code + 1, at + 1
                    code *= 2
                codes[body[0]] = table
                body = body[at:]
        pos += 2 + n
    return raw, codes


class Encoder:
    def __init__(self, rng):
        self.rng = rng
        self.raw, self.codes = standard_tables()

    def draw(self):
        """Coefficients of a block in zigzag order."""
        b = np.zeros(64, int)
        b[0] = self.rng.randint(-60, 60)
        for _ in range(self.rng.choice([0, 0, 1, 3, 10])):
            b[self.rng.randint(1, self.rng.choice([4, 10, 64]))] = self.rng.randint(-9, 10)
        return b

    def put(self, code, length):
        self.bits.append(format(code, f'0{length}b') if length else '')

    def symbol(self, table, symbol, value=0):
        self.put(*self.codes[table][symbol])
        size = symbol & 15
        self.put(value if value >= 0 else value + (1 << size) - 1, size)

    def block(self, component, chroma):
        b = self.draw()
        difference = int(b[0]) - self.dc[component]
        self.dc[component] = int(b[0])
        self.symbol(chroma, abs(difference).bit_length(), difference)
        run = 0
        for v in map(int, b[1:]):
            if v == 0:
                run += 1
                continue
            while run > 15:
                self.symbol(16 + chroma, 0xf0)
                run -= 16
            self.symbol(16 + chroma, run << 4 | abs(v).bit_length(), v)
            run = 0
        if run:
            self.symbol(16 + chroma, 0)

    def flush(self):
        bits = ''.join(self.bits)
        bits += '1' * (-len(bits) % 8)
        self.bits = []
        self.dc = [0] * 4
        return int('1' + bits, 2).to_bytes(len(bits) // 8 + 1, 'big')[1:].replace(b'\xff', b'\xff\x00')

    def scan(self, width, height, samplings, members, ids, restart):
        out = segment(0xda, bytes([len(members)]) + b''.join(bytes([ids[i], 0x11 if i else 0]) for i in members) + b'\x00\x3f\x00')
        top_h, top_v = max(h for h, _ in samplings), max(v for _, v in samplings)
        if len(members) == 1:
            h, v = samplings[members[0]]
            count = -(-width * h // (8 * top_h)) * -(-height * v // (8 * top_v))
        else:
            count = -(-width // (8 * top_h)) * -(-height // (8 * top_v))
        self.bits, self.dc = [], [0] * 4
        for n in range(count):
            if restart and n and n % restart == 0:
                out += self.flush() + bytes([0xff, 0xd0 + (n // restart - 1) % 8])
            for i in members:
                blocks = 1 if len(members) == 1 else samplings[i][0] * samplings[i][1]
                for _ in range(blocks):
                    self.block(i, int(i > 0))
        return out + self.flush()

    def encode(self, width, height, samplings, ids=(1, 2, 3, 4), extra=b'', restart=0, separate=False):
        """samplings: (horizontal, vertical) of each component; separate: a scan for each."""
        n = len(samplings)
        out = b'\xff\xd8' + extra
        out += segment(0xdb, b'\x00' + bytes(self.rng.randint(1, 12, 64).tolist())) + segment(0xdb, b'\x01' + bytes(self.rng.randint(1, 12, 64).tolist()))
        frame = struct.pack('>BHHB', 8, height, width, n)
        for i, (h, v) in enumerate(samplings):
            frame += bytes([ids[i], h << 4 | v, int(i > 0)])
        out += segment(0xc0, frame) + self.raw
        if restart:
            out += segment(0xdd, struct.pack('>H', restart))
        groups = [[i] for i in range(n)] if separate else [list(range(n))]
        for members in groups:
            out += self.scan(width, height, samplings, members, ids, restart)
        return out + b'\xff\xd9'
