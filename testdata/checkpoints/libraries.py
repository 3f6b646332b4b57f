#!/usr/bin/python3
"""Saves small checkpoints with the code that people save theirs with, and says what is in them.

  /usr/bin/python3 libraries.py FOLDER

The files of libraries/ were made by PyTorch 1.13 (Debian 12's python3-torch and python3-torchvision) and by the
packages of libraries.txt, none of them changed:

  pip install --no-deps --target LIBS -r libraries.txt; PYTHONPATH=LIBS /usr/bin/python3 libraries.py libraries

A package that can't be imported is left out. FOLDER/libraries.json has, for each file, what PyTorch finds in it: key,
names, shapes and SHA-256 of the little-endian float32 bytes of the tensors of the state dict, or the error that is due;
and the classes and functions that Python's pickletools finds in its pickles.
"""
import argparse, collections, dataclasses, datetime, decimal, enum, functools, hashlib, io, json, os, pathlib, pickletools
import random, sys, tempfile, types, uuid, warnings, zipfile
from collections import OrderedDict
import numpy as np
import torch
from torch import nn

warnings.simplefilter('ignore')
torch.manual_seed(5)
np.random.seed(5)
zipfile.ZipExtFile._update_crc = lambda *args: None  # as torch: a checksum is not looked at
cases = []


def case(name, obj, want, key='', error='', counters=0, averages=0, averaged=False, modules=False, suspicious=(), **kw):
    """Notes that obj, saved by torch.save or as bytes, is to be read as the tensors of want, which stand under key."""
    b = obj
    if not isinstance(b, bytes):
        f = io.BytesIO()
        torch.save(obj, f, **kw)
        b = f.getvalue()
    tensors = [dict(name=k, shape=list(v.shape), sha256=hashlib.sha256(v.detach().float().contiguous().numpy().tobytes()).hexdigest())
               for k, v in want.items()]
    cases.append((name, b, dict(file=name, key=key, error=error, tensors=tensors, counters=counters, averages=averages, averaged=averaged,
                                modules=modules, suspicious=list(suspicious), globals=sorted(globals_of(b)))))


def globals_of(b):
    """The classes and functions that the pickles of a file name."""
    if b[:2] == b'PK':
        with zipfile.ZipFile(io.BytesIO(b)) as z:
            pickles = [io.BytesIO(z.read(n)) for n in z.namelist() if n.endswith('/data.pkl')]
    else:
        pickles = [io.BytesIO(b)] * 5
    found = set()
    for f in pickles:
        strings, memo = [], {}
        for op, arg, _ in pickletools.genops(f):
            if op.name in ('GLOBAL', 'INST'):
                found.add(arg.replace(' ', '.', 1))
            elif op.name == 'STACK_GLOBAL':
                found.add('.'.join(strings[-2:]))
            elif op.name == 'MEMOIZE':
                memo[len(memo)] = strings[-1] if strings and last in ('SHORT_BINUNICODE', 'BINUNICODE') else None
            elif op.name in ('BINGET', 'LONG_BINGET') and isinstance(memo.get(arg), str):
                strings.append(memo[arg])
            if op.name in ('SHORT_BINUNICODE', 'BINUNICODE'):
                strings.append(arg)
            last = op.name
    return found


class Net(nn.Module):
    def __init__(self, width=2):
        super().__init__()
        self.stem = nn.Conv2d(1, width, 3)
        self.norm = nn.BatchNorm2d(width)
        self.head = nn.Linear(width, 3)
        self.register_buffer('anchors', torch.arange(4.))
        self.register_buffer('grid', torch.rand(3), persistent=False)
        self.stride = (2, 2)

    def forward(self, x):
        return self.head(self.norm(self.stem(x)).mean((2, 3)))


def trained(net=None):
    """A network whose running statistics, momenta and counters are those of a few steps, and its optimizer."""
    net = net or Net()
    opt = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9)
    for _ in range(3):
        opt.zero_grad()
        net(torch.randn(4, 1, 6, 6)).square().mean().backward()
        opt.step()
    return net, opt


net, opt = trained()
other = trained()[0]
sd = net.state_dict()
adam = torch.optim.Adam(net.parameters())
net(torch.randn(2, 1, 6, 6)).sum().backward()
adam.step()
sd = OrderedDict((k, v.clone()) for k, v in net.state_dict().items())
net.zero_grad(set_to_none=True)

# PyTorch's own ways of saving, in each format and protocol.
case('bare.pth', sd, sd)
case('tutorial.tar', {'epoch': 3, 'model_state_dict': sd, 'optimizer_state_dict': adam.state_dict(), 'loss': torch.tensor(0.5)}, sd, 'model_state_dict')
for protocol in (1, 3, 4, 5):
    case(f'protocol{protocol}.pth', {'net': sd, 'optimizer': opt.state_dict()}, sd, 'net', pickle_protocol=protocol)
    case(f'legacy_protocol{protocol}.pth', {'net': sd, 'optimizer': opt.state_dict()}, sd, 'net', pickle_protocol=protocol,
         _use_new_zipfile_serialization=False)
case('legacy.pth', {'state_dict': sd}, sd, 'state_dict', _use_new_zipfile_serialization=False)
case('whole.pt', net, sd, modules=True)
case('whole_legacy.pt', net, sd, modules=True, _use_new_zipfile_serialization=False)
case('whole_under_model.pt', {'epoch': 1, 'model': net, 'ema': None, 'optimizer': adam.state_dict()}, sd, 'model', modules=True)
case('whole_parallel.pt', nn.DataParallel(net), sd, modules=True)
case('parallel.pth', {'network': nn.DataParallel(net).state_dict()}, sd, 'network')
case('compiled.pth', {'model': {'_orig_mod.' + k: v for k, v in sd.items()}}, sd, 'model')
case('parameters.pth', dict(net.named_parameters()), dict(net.named_parameters()))
case('half.pth', {'state_dict': net.half().state_dict()}, {k: v for k, v in net.state_dict().items()}, 'state_dict')
case('bfloat16.pth', {'state_dict': net.bfloat16().state_dict()}, {k: v for k, v in net.state_dict().items()}, 'state_dict')
net.float()
net.load_state_dict(sd)
case('channels_last.pth', OrderedDict((k, v.contiguous(memory_format=torch.channels_last) if v.dim() == 4 else v) for k, v in sd.items()), sd)
views = OrderedDict(t=torch.randn(5, 7).t(), e=torch.randn(3, 1).expand(3, 4), s=torch.randn(40)[3:30:5], w=torch.randn(6, 8)[1:4, ::3])
case('views.pth', {'weights': OrderedDict(('layer.' + k, v) for k, v in views.items())}, {'layer.' + k: v for k, v in views.items()}, 'weights')
shared = OrderedDict(sd)
shared['tied.weight'] = shared['head.weight']
case('tied.pth', {'state_dict': shared, 'again': shared}, shared, 'state_dict')
spectral = nn.Sequential(nn.utils.weight_norm(nn.Linear(2, 2)), nn.utils.spectral_norm(nn.Linear(2, 3))).eval()
case('spectral.pt', spectral, spectral.state_dict(), modules=True)
traced = io.BytesIO()
torch.jit.save(torch.jit.trace(net.eval(), torch.zeros(1, 1, 6, 6)), traced)
case('torchscript.pt', traced.getvalue(), {}, error='TorchScript')

# Averaged weights.
averaged = torch.optim.swa_utils.AveragedModel(net)
averaged.update_parameters(other)
mean = OrderedDict((k[len('module.'):], v) for k, v in averaged.state_dict().items() if k != 'n_averaged')
case('averaged.pth', averaged.state_dict(), mean, counters=1)
averaged.avg_fn = None  # a local function, which no pickle holds
case('averaged_whole.pt', averaged, mean, counters=1, modules=True)
case('references.pth', {'model': sd, 'optimizer': opt.state_dict(), 'lr_scheduler': {'last_epoch': 3}, 'epoch': 3, 'args': argparse.Namespace(lr=0.1),
                        'model_ema': averaged.state_dict(), 'scaler': {'scale': 65536.0}}, sd, 'model', averages=len(mean) + 1)
case('ema_module.pth', {'ema': {'module': sd, 'updates': 3}, 'optimizer': adam.state_dict(), 'date': '2024'}, sd, 'ema.module', averaged=True)
case('net_and_ema_net.pth', {'acc': 0.5, 'net': sd, 'ema_net': other.state_dict()}, sd, 'net', averages=len(sd))

# State dicts elsewhere, several of them, none.
case('gan.pth', {'generator': sd, 'discriminator': other.state_dict()}, {}, error='"generator" (10 tensors), "discriminator" (10 tensors)')
case('tuple.pth', (sd, 3), sd, '0')
case('rng_beside.pth', {'rng_state': torch.get_rng_state(), 'weights': sd}, sd, 'weights')
case('quantized.pth', {'state_dict': {'a.weight': torch.quantize_per_tensor(torch.randn(4), 0.1, 0, torch.qint8)}}, {},
     error='torch._utils._rebuild_qtensor')
mixed = OrderedDict(sd)
mixed['q.weight'] = torch.quantize_per_tensor(torch.randn(4), 0.1, 0, torch.qint8)
mixed['s.weight'] = torch.eye(3).to_sparse()
mixed['c.weight'] = torch.randn(3, dtype=torch.complex64)
case('unreadable_beside.pth', {'state_dict': mixed}, sd, 'state_dict')
case('number.pth', 3, {}, error='it holds a value of type int')


@dataclasses.dataclass
class State:
    epoch: int
    weights: dict


case('dataclass.pth', State(3, sd), sd, 'weights')
case('namespace.pth', argparse.Namespace(step=1, net=sd), sd, 'net')


# What training scripts keep beside the weights.
class Phase(enum.Enum):
    TRAIN = 1


class Outer:
    class Inner:
        def __init__(self):
            self.x = 1

    def method(self):
        pass


hyper = {
    'phase': Phase.TRAIN, 'inner': Outer.Inner(), 'class': Outer.Inner, 'bound': Outer().method, 'relu': torch.relu, 'conv2d': torch.conv2d,
    'norm': functools.partial(nn.BatchNorm2d, eps=1e-3), 'device': torch.device('cuda:0'), 'dtype': torch.float16, 'size': torch.Size([1, 2]),
    'path': pathlib.PurePosixPath('/tmp'), 'when': datetime.datetime(2024, 1, 1), 'for': datetime.timedelta(1), 'price': decimal.Decimal('1.5'),
    'id': uuid.UUID(int=5), 'stat': os.stat_result(range(10)), 'numpy': np.float64(1.5), 'array': np.arange(3), 'type': np.dtype('f4'),
    'state': np.random.get_state(), 'random': random.getstate(), 'torch': torch.get_rng_state(), 'slice': slice(1, 2), 'range': range(3), 'complex': 1j,
    'big': 2**100, 'bytes': b'\x00\xff', 'set': {1, 2}, 'frozen': frozenset([1]), 'queue': collections.deque([1, 2], 5),
    'counter': collections.Counter('aab'), 'default': collections.defaultdict(list, a=[1]), 'chain': collections.ChainMap({'a': 1}),
    'space': types.SimpleNamespace(a=1), 'exception': ValueError('x'), 'bytearray': bytearray(b'x'), 'layout': torch.strided,
    'loss': nn.CrossEntropyLoss(weight=torch.ones(3)), 'transform': nn.Sequential(nn.Identity()), 'generator': None, 'isfile': os.path.isfile,
}
for protocol in (2, 4):
    case(f'objects{protocol}.pth', {'hyper_parameters': hyper, 'state_dict': sd}, sd, 'state_dict', pickle_protocol=protocol)
case('history.pth', {'history': [{'loss': float(i), 'lr': 0.1, 'iter': i, 'mode': 'train'} for i in range(3000)], 'state_dict': sd}, sd, 'state_dict')


class Command:
    def __reduce__(self):
        return (os.system, ('touch /tmp/repvgg_ran_a_command',))


case('command.pth', {'state_dict': sd, 'extra': Command()}, sd, 'state_dict', suspicious=['posix.system'])


# Layouts of what can't run here: DeepSpeed, Ascend NPUs, XLA. Only the names of the functions are made up.
def function(module, name):
    m = types.ModuleType(module)
    f = eval('lambda *args: None')
    f.__module__, f.__name__, f.__qualname__ = module, name, name
    setattr(m, name, f)
    for i in range(module.count('.') + 1):
        sys.modules.setdefault(module.rsplit('.', i)[0], types.ModuleType(module.rsplit('.', i)[0]))
    sys.modules[module] = m
    return f


class Rebuilt:
    """Pickles a tensor as a call of another function."""

    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call


case('deepspeed.pt', {'module': sd, 'buffer_names': ['norm.running_mean'], 'optimizer': None, 'param_shapes': [OrderedDict((k, v.shape) for k, v in sd.items())],
                      'frozen_param_shapes': None, 'lr_scheduler': None, 'data_sampler': None, 'random_ltd': None, 'sparse_tensor_module_names': set(),
                      'skipped_steps': 0, 'global_steps': 3, 'dp_world_size': 1, 'mp_world_size': 1, 'ds_config': {'zero_optimization': {'stage': 0}},
                      'ds_version': '0.14.0'}, sd, 'module')
npu = function('torch_npu.utils.storage', '_rebuild_npu_tensor')
case('npu.pth', {'state_dict': OrderedDict((k, Rebuilt(npu, (v.storage(), v.storage_offset(), tuple(v.shape), v.stride(), False, OrderedDict(), 2)))
                                           for k, v in sd.items())}, sd, 'state_dict')
xla = torch._utils._rebuild_device_tensor_from_numpy
case('xla.pth', {'state_dict': OrderedDict((k, Rebuilt(xla, (v.numpy(), v.dtype, 'xla:0', False))) for k, v in sd.items())}, sd, 'state_dict')
large = OrderedDict(sd)
large['large.weight'] = torch.randn(60, 40)
case('xla_large.pth', {'state_dict': OrderedDict((k, Rebuilt(xla, (v.numpy(), v.dtype, 'xla:0', False))) for k, v in large.items())}, large, 'state_dict')


def rezip(b, change):
    """The same archive with each entry as change would have it: a ZipInfo and a body."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(b)) as src, zipfile.ZipFile(out, 'w') as dst:
        for e in src.infolist():
            info = zipfile.ZipInfo(e.filename)
            change(info)
            dst.writestr(info, src.read(e))
    return out.getvalue()


def deflate(info):
    info.compress_type = zipfile.ZIP_DEFLATED


case('deflated_xla.pth', rezip([b for n, b, _ in cases if n == 'xla_large.pth'][0], deflate), large, 'state_dict')


def without_checksums(b):
    """torch >= 2.6 after set_crc32_options(False): zeros for checksums, in both places."""
    b = bytearray(b)
    for mark, at in ((b'PK\x03\x04', 14), (b'PK\x01\x02', 16), (b'PK\x07\x08', 4)):
        i = b.find(mark)
        while i >= 0:
            b[i + at:i + at + 4] = bytes(4)
            i = b.find(mark, i + 4)
    return bytes(b)


case('unchecked.pth', without_checksums([b for n, b, _ in cases if n == 'bare.pth'][0]), sd)

# Python 2 pickles an OrderedDict with its items as an argument.
class Python2(dict):
    def __reduce__(self):
        return OrderedDict, ([[k, v] for k, v in self.items()],)


case('python2.pth', {'state_dict': Python2(sd)}, sd, 'state_dict', _use_new_zipfile_serialization=False)


# The libraries themselves.
def library(f):
    try:
        f()
    except ImportError as e:
        print(f'{f.__name__}: {e}')


@library
def mmengine():
    from mmengine.logging import MessageHub
    from mmengine.config import ConfigDict
    from mmengine.runner.checkpoint import get_state_dict, save_checkpoint, weights_to_cpu
    hub = MessageHub.get_instance('libraries')
    for i in range(20):
        hub.update_scalar('train/loss', 1 / (i + 1))
        hub.update_scalar('train/lr', 0.1)
        hub.update_info('iter', i)
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, 'epoch_1.pth')
        save_checkpoint({
            'meta': {'cfg': 'model = dict()', 'dataset_meta': {'classes': ('a', 'b', 'c'), 'palette': None}, 'seed': 1, 'epoch': 1, 'iter': 20,
                     'experiment_name': 'x', 'time': '20240101', 'mmengine_version': '0.10.7', 'hyper': ConfigDict(a=1, b=ConfigDict(c=[1, 2]))},
            'state_dict': weights_to_cpu(get_state_dict(net)), 'message_hub': hub.state_dict(), 'optimizer': opt.state_dict(),
            'param_schedulers': [{'last_step': 20}],
        }, path)
        case('mmengine.pth', open(path, 'rb').read(), sd, 'state_dict')
    from mmengine.model import ExponentialMovingAverage
    ema = ExponentialMovingAverage(net)
    ema.update_parameters(other)
    kept = OrderedDict((k[len('module.'):], v) for k, v in ema.state_dict().items() if k.startswith('module.'))
    case('mmengine_ema.pth', {'state_dict': sd, 'ema_state_dict': ema.state_dict(), 'message_hub': hub.state_dict()}, sd, 'state_dict', averages=len(ema.state_dict()))
    case('mmengine_ema_only.pth', {'ema_state_dict': ema.state_dict()}, kept, 'ema_state_dict', counters=1, averaged=True)


@library
def lightning():
    if not hasattr(torch, '_UntypedStorage'):
        torch._UntypedStorage = torch.UntypedStorage  # of the release candidate that Debian has
    import pytorch_lightning as pl
    # Nor does its torch.distributed import under Python 3.11.
    pl.LightningModule._register_sharded_tensor_state_dict_hooks_if_available = lambda self: None

    class Lit(pl.LightningModule):
        def __init__(self, lr=0.1, phase=Phase.TRAIN):
            super().__init__()
            self.save_hyperparameters()
            self.model = Net()

        def training_step(self, batch, _):
            loss = self.model(batch).square().mean()
            self.log('loss', loss)
            return loss

        def configure_optimizers(self):
            o = torch.optim.AdamW(self.parameters(), 0.1)
            return [o], [torch.optim.lr_scheduler.StepLR(o, 1)]

    lit = Lit()
    with tempfile.TemporaryDirectory() as d:
        trainer = pl.Trainer(max_epochs=1, accelerator='cpu', default_root_dir=d, logger=False, enable_progress_bar=False, enable_model_summary=False,
                             callbacks=[pl.callbacks.ModelCheckpoint(d, monitor='loss')])
        trainer.fit(lit, torch.utils.data.DataLoader(torch.randn(8, 1, 6, 6), 4))
        path = os.path.join(d, 'last.ckpt')
        trainer.save_checkpoint(path)
        case('lightning.ckpt', open(path, 'rb').read(), lit.state_dict(), 'state_dict')


@library
def timm():
    import timm
    from timm.models.byobnet import ByobNet, ByoBlockCfg, ByoModelCfg
    from timm.utils import CheckpointSaver, ModelEmaV2
    blocks = tuple(ByoBlockCfg(type='rep', d=d, c=8, s=2, gs=0, br=0) for d in (1, 2))
    model = ByobNet(ByoModelCfg(blocks=blocks, stem_type='rep', stem_chs=8), num_classes=3)
    ema = ModelEmaV2(model)
    o = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    with tempfile.TemporaryDirectory() as d:
        saver = CheckpointSaver(model, o, args=argparse.Namespace(model='x', lr=0.1), model_ema=ema, checkpoint_dir=d, recovery_dir=d)
        saver.save_checkpoint(0, 50.0)
        case('timm.pth.tar', open(os.path.join(d, 'last.pth.tar'), 'rb').read(), model.state_dict(), 'state_dict', averages=len(model.state_dict()))
    case('timm_whole.pt', model, model.state_dict(), modules=True)


@library
def ultralytics():
    from ultralytics.nn.tasks import DetectionModel
    from ultralytics.utils.torch_utils import ModelEMA
    cfg = {'nc': 2, 'depth_multiple': 0.33, 'width_multiple': 0.05, 'backbone': [[-1, 1, 'Conv', [8, 3, 2]], [-1, 1, 'C2f', [8, True]], [-1, 1, 'SPPF', [8, 5]]],
           'head': [[[2], 1, 'Detect', ['nc']]]}
    model = DetectionModel(cfg, ch=3, verbose=False)
    ema = ModelEMA(model)
    o = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    half = {k: v for k, v in model.half().state_dict().items()}
    for name, obj, key, n in (('ultralytics_last.pt', {'epoch': 3, 'best_fitness': 0.5, 'model': model, 'ema': ema.ema.half(), 'updates': ema.updates,
                                                       'optimizer': o.state_dict(), 'train_args': {'lr0': 0.1}, 'date': '2024', 'version': '8.0.200'}, 'model', len(half)),
                              ('ultralytics_best.pt', {'epoch': -1, 'best_fitness': None, 'model': model, 'ema': None, 'updates': None, 'optimizer': None,
                                                       'train_args': {}, 'date': '2024', 'version': '8.0.200'}, 'model', 0)):
        case(name, obj, half, key, averages=n, modules=True)


@library
def thop():
    from thop import profile
    counted = Net()
    counted.load_state_dict(sd)
    profile(counted, (torch.zeros(1, 1, 6, 6),), verbose=False)
    left = [k for k in counted.state_dict() if k not in sd]
    assert left
    case('thop.pth', {'model': counted.state_dict()}, OrderedDict((k, v) for k, v in counted.state_dict().items() if k in sd), 'model', counters=len(left))


os.makedirs(sys.argv[1], exist_ok=True)
for name, b, _ in cases:
    with open(os.path.join(sys.argv[1], name), 'wb') as f:
        f.write(b)
with open(os.path.join(sys.argv[1], 'libraries.json'), 'w') as f:
    f.write('[\n' + ',\n'.join(json.dumps(e) for _, _, e in cases) + '\n]\n')
print(f'{len(cases)} checkpoints')
