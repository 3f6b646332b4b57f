#!/usr/bin/python3
"""Makes the checkpoints of this folder with PyTorch (Debian 12's python3-torch 1.13).

  /usr/bin/python3 make.py

The files of ok/ must fuse to the tensors that expected.json names for them: name, shape and SHA-256 of the
little-endian float32 bytes, computed here by PyTorch in the order of operations of MMClassification's RepVGGBlock.
Those of bad/ must be refused.
"""
import copy, hashlib, io, json, os, re, struct, zipfile
from collections import OrderedDict
import torch

torch.manual_seed(7)
HERE = os.path.dirname(os.path.abspath(__file__))
# name, channels in, channels out, stride, groups
BLOCKS = [('stem', 3, 4, 2, 1), ('stage_1.0', 4, 4, 2, 1), ('stage_2.0', 4, 8, 2, 1), ('stage_2.1', 8, 8, 1, 2),
          ('stage_3.0', 8, 16, 2, 1), ('stage_4.0', 16, 32, 2, 1)]


def train_state():
    sd = OrderedDict()

    def norm(prefix, c):
        sd[prefix + '.weight'] = torch.randn(c)
        sd[prefix + '.bias'] = torch.randn(c)
        sd[prefix + '.running_mean'] = torch.randn(c)
        sd[prefix + '.running_var'] = torch.rand(c) * 2
        sd[prefix + '.num_batches_tracked'] = torch.tensor(1234)

    for name, i, o, stride, groups in BLOCKS:
        p = 'backbone.' + name
        if i == o and stride == 1:
            norm(p + '.branch_norm', o)
        for branch, k in (('branch_3x3', 3), ('branch_1x1', 1)):
            w = torch.randn(o, i // groups, k, k)
            w.flatten()[::7] = -0.0
            sd[f'{p}.{branch}.conv.weight'] = w
            norm(f'{p}.{branch}.norm', o)
    sd['head.fc.weight'], sd['head.fc.bias'] = torch.randn(5, 32), torch.randn(5)
    return sd


def fuse(sd):
    sd = {k: v.float() for k, v in sd.items()}
    out = OrderedDict()

    def branch(weight, norm):
        std = torch.sqrt(sd[norm + '.running_var'] + 1e-5)
        w = (sd[norm + '.weight'] / std).reshape(-1, 1, 1, 1) * weight
        return w, -sd[norm + '.running_mean'] * sd[norm + '.weight'] / std + sd[norm + '.bias']

    for name, i, o, stride, groups in BLOCKS:
        p = 'backbone.' + name
        w3, b3 = branch(sd[p + '.branch_3x3.conv.weight'], p + '.branch_3x3.norm')
        w1, b1 = branch(sd[p + '.branch_1x1.conv.weight'], p + '.branch_1x1.norm')
        w, b, wi, bi = w3 + torch.nn.functional.pad(w1, [1, 1, 1, 1]), b3 + b1, 0, 0
        if i == o and stride == 1:
            eye = torch.zeros(o, i // groups, 3, 3)
            for c in range(o):
                eye[c, c % (i // groups), 1, 1] = 1
            wi, bi = branch(eye, p + '.branch_norm')
        w, b = w + wi, b + bi  # adding nothing, too, turns -0 into 0
        out[p + '.branch_reparam.weight'], out[p + '.branch_reparam.bias'] = w, b
    out['head.fc.weight'], out['head.fc.bias'] = sd['head.fc.weight'], sd['head.fc.bias']
    return out


def rezip(data, method=zipfile.ZIP_STORED, drop=None, cut=None, pkl=None):
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as src, zipfile.ZipFile(out, 'w', method) as dst:
        for e in src.infolist():
            b = src.read(e)
            if e.filename.endswith('/data.pkl') and pkl:
                b = pkl(b)
            if drop and e.filename.endswith('/data/' + drop):
                continue
            if cut and e.filename.endswith('/data/' + cut):
                b = b[:-4]
            dst.writestr(zipfile.ZipInfo(e.filename), b, method)
    return out.getvalue()


def saved(obj, **kw):
    b = io.BytesIO()
    torch.save(obj, b, **kw)
    return b.getvalue()


def official(name):
    """MMClassification's name of a tensor as the official RepVGG code has it."""
    for a, b in (('branch_3x3.conv', 'rbr_dense.conv'), ('branch_3x3.norm', 'rbr_dense.bn'), ('branch_1x1.conv', 'rbr_1x1.conv'),
                 ('branch_1x1.norm', 'rbr_1x1.bn'), ('branch_norm', 'rbr_identity'), ('backbone.stem', 'stage0'),
                 ('backbone.stage_', 'stage'), ('head.fc', 'linear')):
        name = name.replace(a, b)
    return name


def timm(name):
    """MMClassification's name of a tensor as timm has it."""
    for a, b in (('branch_3x3.conv', 'conv_kxk.conv'), ('branch_3x3.norm', 'conv_kxk.bn'), ('branch_1x1.conv', 'conv_1x1.conv'),
                 ('branch_1x1.norm', 'conv_1x1.bn'), ('branch_norm', 'identity'), ('backbone.stem', 'stem')):
        name = name.replace(a, b)
    return re.sub(r'backbone\.stage_(\d)', lambda m: 'stages.%d' % (int(m[1]) - 1), name)


def safetensors(sd):
    """What safetensors.torch.save_file would write, but for the order of the tensors."""
    types = {torch.float32: 'F32', torch.float16: 'F16', torch.int64: 'I64'}
    header, data = {'__metadata__': {'format': 'pt'}}, b''
    for k, v in sd.items():
        b = v.numpy().tobytes()
        header[k] = {'dtype': types[v.dtype], 'shape': list(v.shape), 'data_offsets': [len(data), len(data) + len(b)]}
        data += b
    text = json.dumps(header).encode()
    text += b' ' * (-len(text) % 8)
    return struct.pack('<Q', len(text)) + text + data


class Unknown:
    """Stands for the classes of a framework that whoever reads the file does not have."""

    def __init__(self):
        self.history = {'loss': [1.0, 2.0]}


class Command:
    def __reduce__(self):
        return (os.system, ('touch /tmp/repvgg_ran_a_command',))


sd = train_state()
keys = list(sd)
meta = {'CLASSES': ['a', 'b', 'c', 'd', 'e'], 'epoch': 3, 'config': 'model = dict()', 'unknown': Unknown()}
momentum = {'state': {i: {'momentum_buffer': torch.zeros(1000)} for i in range(3)}, 'param_groups': [{'lr': 0.1}]}
train = {'meta': meta, 'state_dict': sd, 'optimizer': momentum}
cast = lambda t: OrderedDict((k, v.to(t) if v.is_floating_point() else v) for k, v in sd.items())
flat, shared, at = torch.cat([v.flatten() for v in sd.values() if v.is_floating_point()]), OrderedDict(), 0
for k, v in sd.items():
    if v.is_floating_point():
        shared[k], at = flat[at:at + v.numel()].view(v.shape), at + v.numel()
far = torch.zeros(32, 16, 3, 3, 12)  # a view whose elements lie too far apart for one read
far[..., 5] = sd['backbone.stage_4.0.branch_3x3.conv.weight']
spread = OrderedDict(sd)
spread['backbone.stage_4.0.branch_3x3.conv.weight'] = far[..., 5]
ints = OrderedDict(sd)
for k, t in (('backbone.stem.branch_3x3.norm.weight', torch.int8), ('backbone.stem.branch_3x3.norm.bias', torch.int16),
             ('backbone.stem.branch_3x3.norm.running_mean', torch.int32), ('backbone.stem.branch_1x1.norm.bias', torch.int64),
             ('backbone.stem.branch_1x1.norm.running_var', torch.uint8), ('backbone.stem.branch_1x1.norm.weight', torch.bool)):
    ints[k] = (sd[k] * 20).clamp(-100, 100).to(t) if t != torch.uint8 else torch.tensor([0, 200, 255, 3], dtype=t)

ok = {
    'train': (saved(train), sd),
    'legacy': (saved(train, _use_new_zipfile_serialization=False), sd),
    'deflated': (rezip(saved(train), zipfile.ZIP_DEFLATED), sd),
    'bare_state_dict': (saved(sd), sd),
    'runs_a_command': (saved({'state_dict': sd, 'meta': Command()}), sd),
    'plain_dict': (saved(dict(sd)), sd),
    'model_key': (saved({'model': sd, 'epoch': 3}), sd),
    'data_parallel': (saved({'state_dict': OrderedDict(('module.' + k, v) for k, v in sd.items())}), sd),
    'ema_hook': (saved({'state_dict': OrderedDict(list(sd.items()) + [('ema_' + k.replace('.', '_'), v * 2) for k, v in sd.items()])}), sd),
    'parameters': (saved({'state_dict': OrderedDict((k, torch.nn.Parameter(v) if v.is_floating_point() else v) for k, v in sd.items())}), sd),
    'channels_last': (saved({'state_dict': OrderedDict((k, v.contiguous(memory_format=torch.channels_last) if v.dim() == 4 else v) for k, v in sd.items())}), sd),
    'shared_storage': (saved({'state_dict': shared}), sd),
    'spread': (saved(spread), sd),
    'no_counters': (saved(OrderedDict((k, v) for k, v in sd.items() if 'num_batches' not in k)), sd),
    'float64': (saved(cast(torch.float64)), sd),
    'float16': (saved(cast(torch.float16)), cast(torch.float16)),
    'bfloat16': (saved(cast(torch.bfloat16)), cast(torch.bfloat16)),
    'integers': (saved(ints), ints),
    'compiled': (saved(OrderedDict(('_orig_mod.module.' + k, v) for k, v in sd.items())), sd),
    'official': (saved({'model': OrderedDict((official(k), v) for k, v in sd.items()), 'epoch': 3}), sd),
    'timm': (saved({'state_dict': OrderedDict((timm(k), v) for k, v in sd.items()),
                    'state_dict_ema': OrderedDict((timm(k), v * 2) for k, v in sd.items())}), sd),
    'flat_with_averages': (saved({**sd, 'state_dict_ema': OrderedDict((k, v * 2) for k, v in sd.items()), 'model_ema': {'decay': 0.9}}), sd),
    'timm_averages': (saved({'state_dict_ema': OrderedDict((timm(k), v) for k, v in sd.items()), 'arch': 'repvgg_a0'}), sd),
    'timm.safetensors': (safetensors(OrderedDict((timm(k), v) for k, v in sd.items())), sd),
    'float16.safetensors': (safetensors(OrderedDict(reversed(cast(torch.float16).items()))), cast(torch.float16)),
}


def change(**values):
    out = copy.deepcopy(sd)
    for k, v in values.items():
        out[k.replace('__', '.')] = v
    return saved(out)


nan, negative = sd['backbone.stage_3.0.branch_1x1.norm.running_var'].clone(), sd['backbone.stage_3.0.branch_1x1.norm.running_var'].clone()
nan[3], negative[3] = float('nan'), -0.5
legacy = ok['legacy'][0]
one = str(keys.index('backbone.stage_4.0.branch_3x3.conv.weight'))
lying = saved({'w': torch.zeros(4)})
bad = {
    'empty': b'',
    'text': b'this is no checkpoint\n' * 30,
    'empty_state_dict': saved({'state_dict': OrderedDict()}),
    'not_a_dict': saved([1, 2, 3]),
    'missing_key': saved(OrderedDict((k, v) for k, v in sd.items() if k != 'backbone.stage_3.0.branch_1x1.norm.bias')),
    'unexpected_key': saved(OrderedDict(list(sd.items()) + [('backbone.stage_3.0.extra.weight', torch.zeros(3))])),
    'wrong_shape': change(**{'head.fc.weight': torch.randn(7, 32)}),
    'nan_variance': change(**{'backbone.stage_3.0.branch_1x1.norm.running_var': nan}),
    'negative_variance': change(**{'backbone.stage_3.0.branch_1x1.norm.running_var': negative}),
    'already_deployed': saved(fuse(sd)),
    'storage_missing': rezip(saved(sd), drop=one),
    'storage_too_short': rezip(saved(sd), cut=one),
    'truncated_zip': saved(sd)[:-3000],
    'truncated_legacy': legacy[:-2500],
}
flipped = bytearray(saved(sd))
flipped[len(flipped) // 2] ^= 0x10  # inside a tensor: only the checksum tells
bad['flipped_bit'] = bytes(flipped)
plus = OrderedDict((official(k).replace('stage1.', 'stage1.blocks.'), v) for k, v in sd.items())
bad['repvggplus'] = saved({'model': plus})
bad['two_namings'] = saved(OrderedDict(list(sd.items()) + [(official(k), v) for k, v in sd.items() if '.stem.' in k]))
bad['official_missing_key'] = saved(OrderedDict((official(k), v) for k, v in sd.items() if k != 'backbone.stage_3.0.branch_1x1.norm.bias'))
whole = ok['timm.safetensors'][0]
bad['truncated.safetensors'] = whole[:-100]
bad['lying.safetensors'] = whole.replace(b'"shape": [5, 32]', b'"shape": [6, 32]')
# Sizes that a reader must not believe.
def handmade(body):
    b = io.BytesIO()
    with zipfile.ZipFile(b, 'w') as z:
        z.writestr('archive/data.pkl', body)
        z.writestr('archive/data/0', b'\0' * 64)
        z.writestr('archive/version', '3\n')
    return b.getvalue()
def one_tensor(numel, offset, size, stride):
    def n(v):
        return b'\x8a\x08' + v.to_bytes(8, 'little', signed=True)
    return (b'\x80\x02}X\x04\x00\x00\x00head' b'ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n'
            b'X\x01\x00\x00\x000X\x03\x00\x00\x00cpu' + n(numel) + b'tQ' + n(offset) + b'(' + b''.join(map(n, size)) + b't('
            + b''.join(map(n, stride)) + b't\x89}tRs.')
bad['huge_storage'] = handmade(one_tensor(1 << 60, 0, [4], [1]))
bad['negative_offset'] = handmade(one_tensor(16, -8, [4], [1]))
bad['overflowing_shape'] = handmade(one_tensor(16, 0, [1 << 62, 4], [1, 1]))
bad['beyond_storage'] = handmade(one_tensor(16, 8, [9], [1]))
bad['huge_string'] = handmade(b'\x80\x02X\xff\xff\xff\x7fabc.')
bad['huge_string8'] = handmade(b'\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x3fabc.')
bad['deep_marks'] = handmade(b'\x80\x02' + b'(' * 2000 + b'.')
bad['opcode_255'] = handmade(b'\x80\x02\xff.')
bad['stack_underflow'] = handmade(b'\x80\x02R.')
bad['no_stop'] = handmade(b'\x80\x02}')

for folder, files in (('ok', {k: v[0] for k, v in ok.items()}), ('bad', bad)):
    os.makedirs(os.path.join(HERE, folder), exist_ok=True)
    for name, data in files.items():
        with open(os.path.join(HERE, folder, name if '.' in name else name + '.pth'), 'wb') as f:
            f.write(data)
expected = {name: [dict(name=k, shape=list(v.shape), sha256=hashlib.sha256(v.numpy().astype('<f4').tobytes()).hexdigest())
                   for k, v in fuse(state).items()] for name, (_, state) in ok.items()}
with open(os.path.join(HERE, 'expected.json'), 'w') as f:
    names = {}
    for name, tensors in expected.items():
        key = json.dumps(tensors)
        names.setdefault(key, []).append(name)
    json.dump([dict(files=files, tensors=json.loads(key)) for key, files in names.items()], f, indent=1)
    f.write('\n')
