"""The cases that same_outputs.py runs: every fixture of this folder through every command."""
import dataclasses
import glob
import itertools
import json
import os
import subprocess

# In a case's folder t is this folder, made what is made here, data the data of t/digits.
DIGITS, DIGITS_DEPLOY = 't/digits/configs/repvgg-digits.py', 't/digits/configs/repvgg-digits_deploy.py'
TINY, TINY_DEPLOY = 't/checkpoints/tiny.py', 't/checkpoints/tiny_deploy.py'
FUSE = ['dilated', 'eps', 'groups', 'plain', 'se']
ARCHS = ['A0', 'A1', 'A2', 'B0', 'B1', 'B1g2', 'B1g4', 'B2', 'B2g4', 'B3', 'B3g4', 'D2se']
NAMES = ['mmcls', 'official', 'timm']
DEPLOY = 'model.backbone.deploy=True'
# A few images of the digits, for what need not run on all of them.
FEW = {'few.txt': '2/0002.png 2\n4/0004.png 4\n9/0009.png 9\n'}


@dataclasses.dataclass
class Case:
    """Commands that run one after the other in a folder, which holds files at first."""
    name: str
    commands: list
    refused: bool = False  # whether one of the commands must fail; None: either
    env: dict = dataclasses.field(default_factory=dict)
    files: dict = dataclasses.field(default_factory=dict)
    ranks: int = 1  # processes that a launcher would start


# Configs that no fixture has: another network's pipeline on photographs, arrays of one channel, the config language.
PHOTOS = '''_base_ = '{base}'
data = dict(samples_per_gpu=7, workers_per_gpu=2, test=dict(
    type='CustomDataset', data_prefix='t/preprocess', classes=['images'], pipeline=[
        dict(type='LoadImageFromFile'),
        dict(type='Resize', size=(72, -1), backend='pillow'),
        dict(type='CenterCrop', crop_size=64),
        dict(type='Normalize', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True),
        dict(type='ImageToTensor', keys=['img']),
        dict(type='Collect', keys=['img'])]))
'''
ARRAYS = '''model = dict(
    type='ImageClassifier',
    backbone=dict(type='RepVGG', in_channels=1,
        arch=dict(num_blocks=[1, 2, 1, 1], width_factor=[.125, .125, .125, .25], group_layer_map={{2: 2}}, se_cfg=None)),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=10, in_channels=128))
data = dict(samples_per_gpu=2, test=dict(type='{type}', data_prefix='t/datasets/{folder}', test_mode={test_mode}, pipeline=[
    dict(type='Resize', size=32),
    dict(type='Normalize', mean=[33.46], std=[78.87], to_rgb=True),
    dict(type='ImageToTensor', keys=['img']),
    dict(type='Collect', keys=['img'])]))
'''
LANGUAGE = '''_base_ = ['first.yaml', 'second.json']
width = 0.0625
def half(x):
    return x / 2
factors = [half(w) * 2 for w in [width] * 4]
model = dict(
    backbone=dict(arch=dict(_delete_=True, num_blocks=[1, 2, 1, 1], width_factor=factors, group_layer_map={3: 2}, se_cfg=None)),
    head=dict(num_classes={{_base_.classes}}))
words = """it's 'quoted' and "quoted", a \\\\ and a \\n"""
numbers = [1, -1, 1e300, -0.0, 1e-5, 0x10, 9007199254740993, True, None, (1,), (), {}, {1: 2, 'a b': 3}]
'''
FIRST = '''model:
  type: ImageClassifier
  backbone: {type: RepVGG, arch: A0}
  neck: {type: GlobalAveragePooling}
  head: {type: LinearClsHead, num_classes: 1000, in_channels: 32}
'''
SECOND = {'classes': 5, 'later': [1.5, 'x', None]}
# What stands in no file of the zoo, and must be refused.
RESNET = "model = dict(type='ImageClassifier', backbone=dict(type='ResNet', depth=18))\n"


def make(testdata, made, repvgg, large):
    """Makes the inputs that are not shipped in the folder made, and gives the cases."""
    os.makedirs(made)
    write = lambda name, text: open(os.path.join(made, name), 'w').write(text)
    for name in FUSE:
        write(f'photos_{name}.py', PHOTOS.format(base=os.path.join(testdata, 'fuse', name, 'train_cfg.py')))
    write('mnist.py', ARRAYS.format(type='MNIST', folder='mnist', test_mode=True))
    write('fashion.py', ARRAYS.format(type='FashionMNIST', folder='fashion', test_mode=False))
    write('language.py', LANGUAGE)
    write('first.yaml', FIRST)
    write('second.json', json.dumps(SECOND))
    write('resnet.py', RESNET)
    archs = ['A0'] + (['B1g4', 'D2se'] if large else [])
    testgen = os.path.join(made, 'testgen')
    subprocess.run(['go', 'build', '-o', testgen, './internal/testgen'], cwd=os.path.dirname(testdata), check=True)
    for cfg, ckpt in [('mnist.py', 'mnist.pth')] + [(f'repvgg-{a}', f'{a}.pth') for a in archs]:
        subprocess.run([testgen, cfg, ckpt], cwd=made, check=True)
    # Published names of the tensors, of both forms, are made by the old build.
    for names in NAMES:
        subprocess.run([repvgg, 'reparameterize', os.path.join(testdata, 'digits/configs/repvgg-digits.py'),
                        os.path.join(testdata, 'digits/train.pth'), f'digits_{names}.pth', '--names', names], cwd=made, check=True, capture_output=True)
    subprocess.run([repvgg, 'bench', os.path.join(testdata, 'digits/configs/repvgg-digits.py'), '--input-size', '32', '--runs', '3', '--out', 'before.json'],
                   cwd=made, check=True, capture_output=True)
    ok = sorted(os.path.basename(p) for p in glob.glob(os.path.join(testdata, 'checkpoints/ok/*')))
    bad = sorted(os.path.basename(p) for p in glob.glob(os.path.join(testdata, 'checkpoints/bad/*')))
    saved = sorted(os.path.basename(p) for p in glob.glob(os.path.join(testdata, 'checkpoints/libraries/*')) if not p.endswith('.json'))
    images = sorted('t/preprocess/images/' + os.path.basename(p) for p in glob.glob(os.path.join(testdata, 'preprocess/images/*')))
    if not (ok and bad and saved and images):
        raise SystemExit('no fixtures found in ' + testdata)
    return list(itertools.chain(inspect(ok, bad, saved), reparameterize(ok, bad, archs), export(ok, archs), configs(), flops(), zoo(), bench(archs),
                                test(), pipelines(), predict(images), usage()))


def inspect(ok, bad, saved):
    for kind, file in [('ok', f) for f in ok] + [('bad', f) for f in bad] + [('libraries', f) for f in saved]:
        path = f't/checkpoints/{kind}/{file}'
        # Some files are bad only for a config, or in their weights; some that other code saved hold no network.
        yield Case(f'inspect {kind}/{file}', [['inspect', path], ['inspect', path, '--format', 'json']], False if kind == 'ok' else None)
    yield Case('inspect --security', [['inspect', 't/checkpoints/ok/runs_a_command.pth', '--security', '--format', f] for f in ['text', 'json']])
    for path in ['t/digits/train.pth', 't/digits/deploy.pth', 'made/A0.pth', 'made/mnist.pth', 'made/digits_official.pth', 'made/digits_timm.pth']:
        yield Case(f'inspect {path}', [['inspect', path], ['inspect', path, '--format', 'json']])
    for file in ['timm.pth', 'timm_averages.pth', 'flat_with_averages.pth']:
        yield Case(f'inspect ok/{file} --use-ema', [['inspect', f't/checkpoints/ok/{file}', '--use-ema']])


def reparameterize(ok, bad, archs):
    for file, suffix in itertools.product(ok, ['pth', 'safetensors']):
        commands = [['reparameterize', TINY, f't/checkpoints/ok/{file}', f'{n}.{suffix}', '--names', n] for n in NAMES]
        yield Case(f'reparameterize ok/{file} to {suffix}', commands)
    for file in bad:
        yield Case(f'reparameterize bad/{file}', [['reparameterize', TINY, f't/checkpoints/bad/{file}', 'out.pth']], True)
    for file in ['timm.pth', 'timm_averages.pth', 'flat_with_averages.pth']:
        yield Case(f'reparameterize ok/{file} --use-ema', [['reparameterize', TINY, f't/checkpoints/ok/{file}', 'out.pth', '--use-ema']])
    for file in ['ema_hook.pth', 'train.pth']:
        yield Case(f'reparameterize ok/{file} --use-ema', [['reparameterize', TINY, f't/checkpoints/ok/{file}', 'out.pth', '--use-ema']], True)
    nets = [(f'fuse {n}', f't/fuse/{n}/train_cfg.py', f't/fuse/{n}/train.pth') for n in FUSE]
    nets += [('digits', DIGITS, 't/digits/train.pth'), ('mnist', 'made/mnist.py', 'made/mnist.pth'), ('A0', 'A0', 'made/A0.pth')]
    for name, cfg, ckpt in nets:
        for suffix in ['pth', 'safetensors']:
            yield Case(f'reparameterize {name} to {suffix}', [['reparameterize', cfg, ckpt, f'{n}.{suffix}', '--names', n] for n in NAMES])
        yield Case(f'reparameterize {name} --verify', [['reparameterize', cfg, ckpt, 'out.pth', '--verify', '--threads', '1']])
    for arch in archs[1:]:
        yield Case(f'reparameterize {arch}', [['reparameterize', arch, f'made/{arch}.pth', 'out.pth']])
    sync = ['reparameterize', TINY, 't/checkpoints/ok/train.pth', 'out.pth', '--cfg-options']
    yield Case('reparameterize SyncBN', [sync + ['model.backbone.norm_cfg.type=SyncBN', 'model.backbone.norm_cfg.eps=0.001']])
    yield Case('reparameterize into folders', [['reparameterize', TINY, 't/checkpoints/ok/train.pth', 'new/folder/out.pth']])
    yield Case('reparameterize twice', [['reparameterize', TINY, 't/checkpoints/ok/train.pth', 'out.pth'], ['reparameterize', TINY, 'out.pth', 'again.pth']], True)
    yield Case('reparameterize onto the source', [['reparameterize', TINY, 't/checkpoints/ok/train.pth', 'a.pth'], ['reparameterize', TINY, 'a.pth', 'a.pth']], True)
    yield Case('reparameterize another network', [['reparameterize', 'A0', 't/digits/train.pth', 'out.pth']], True)
    yield Case('reparameterize another number of classes', [['reparameterize', 'A0', 'made/A0.pth', 'out.pth', '--cfg-options', 'model.head.num_classes=10']], True)


def export(ok, archs):
    for file in ok:
        path = f't/checkpoints/ok/{file}'
        yield Case(f'export ok/{file}', [['export', TINY, path, 'a.onnx'], ['export', TINY, path, 'a.pth'], ['export', TINY, path, 'a.safetensors', '--names', 'timm']])
    nets = [(f'fuse {n}', f'made/photos_{n}.py', f't/fuse/{n}/train.pth') for n in FUSE]
    nets += [('digits', DIGITS, 't/digits/train.pth'), ('digits deploy', DIGITS_DEPLOY, 't/digits/deploy.pth'), ('mnist', 'made/mnist.py', 'made/mnist.pth')]
    nets += [(a, a, f'made/{a}.pth') for a in archs]
    for name, cfg, ckpt in nets:
        write = ['export', cfg, ckpt]
        yield Case(f'export {name} to onnx', [
            write + ['probs.onnx'], write + ['logits.onnx', '--output', 'logits'],
            write + ['fixed.onnx', '--fix-batch', '3', '--fix-shape', '64'], write + ['wide.onnx', '--output', 'logits', '--fix-shape', '64', '96']])
        yield Case(f'export {name} to checkpoints', [write + [f'{n}.{s}', '--names', n] for n in NAMES for s in ['pth', 'safetensors']])
    for names in NAMES:
        yield Case(f'export deploy form with the names of {names}', [
            ['export', DIGITS, f'made/digits_{names}.pth', f'a.{s}'] for s in ['onnx', 'pth', 'safetensors']])


def configs():
    every = [f'repvgg-{a}{form}' for a in ARCHS for form in ['', '_deploy']]
    every += [DIGITS, DIGITS_DEPLOY, TINY, TINY_DEPLOY, 't/flops/custom.py', 'made/language.py', 'made/first.yaml', 'made/second.json', 'made/mnist.py', 'made/resnet.py']
    every += [f't/fuse/{n}/{c}_cfg.py' for n in FUSE for c in ['train', 'deploy']] + [f'made/photos_{n}.py' for n in FUSE]
    for cfg in every:
        yield Case(f'config {cfg}', [['config', cfg], ['config', cfg, '--cfg-options', 'model.head.num_classes=7', 'a.b=[1,(2,3)]', 'x.y.z=None']])
    yield Case('config short name', [['config', 'B1g4']])
    yield Case('config missing', [['config', 'none.py']], True)


def flops():
    for arch in ARCHS:
        yield Case(f'flops {arch}', [['flops', f'repvgg-{arch}{f}', '--shape'] + s for f in ['', '_deploy'] for s in (['224'], ['320', '256'])])
    every = [DIGITS, TINY, 't/flops/custom.py', 'made/language.py', 'made/mnist.py'] + [f't/fuse/{n}/train_cfg.py' for n in FUSE]
    for cfg in every:
        yield Case(f'flops {cfg}', [['flops', cfg], ['flops', cfg, '--shape', '65', '98'], ['flops', cfg, '--cfg-options', DEPLOY]])
    yield Case('flops no RepVGG', [['flops', 'made/resnet.py']], True)


def zoo():
    yield Case('zoo', [['zoo']] + [['zoo', '--format', f] for f in ['text', 'json', 'csv', 'markdown']])


def bench(archs):
    for f in ['text', 'json', 'csv', 'markdown', 'benchstat']:
        yield Case(f'bench --zoo {f}', [['bench', '--zoo', '--runs', '0', '--format', f, '--batch-size', '1', '32']])
    for s in ['txt', 'json', 'csv', 'md', 'bench', 'html']:
        yield Case(f'bench to {s}', [['bench', '--zoo', '--runs', '0', '--out', f'a.{s}'],
                                     ['bench', DIGITS, '--runs', '0', '--input-size', '32', '--precision', 'fp32', 'bf16', '--out', f'b.{s}']])
    rows = ['bench', DIGITS, '--runs', '0', '--format', 'json']
    yield Case('bench digits', [rows, rows + ['--form', 'deploy', '--threads', '1'], rows + ['--layers', '--input-size', '32'],
                                rows + ['--checkpoint', 't/digits/train.pth'], rows + ['--checkpoint', 't/digits/deploy.pth'],
                                ['bench', DIGITS_DEPLOY, 't/fuse/se/train_cfg.py', '--runs', '0', '--format', 'csv', '--cfg-options', 'model.head.num_classes=7']])
    yield Case('bench against a baseline', [['bench', DIGITS, '--input-size', '32', '--runs', '0', '--baseline', 'made/before.json', '--format', f]
                                            for f in ['text', 'json', 'csv', 'markdown', 'benchstat']])
    for arch in archs:
        yield Case(f'bench {arch} with its checkpoint', [['bench', arch, '--runs', '0', '--checkpoint', f'made/{arch}.pth']])
    yield Case('bench nothing to draw', [['bench', 'A0', '--runs', '0', '--plot', 'a.svg']], True)


def test():
    forms = [('train', DIGITS, 't/digits/train.pth'), ('deploy', DIGITS_DEPLOY, 't/digits/deploy.pth')]
    every = ['--metrics', 'accuracy', 'precision', 'recall', 'f1_score', 'support']
    items = ['--out-items', 'class_scores', 'pred_score', 'pred_label', 'pred_class', 'filename', 'gt_label']
    for form, cfg, ckpt in forms:
        run = ['test', cfg, ckpt]
        yield Case(f'test {form} metrics', [run + every, run + every + ['--metric-options', 'average_mode=none', 'topk=(1,2,3)'],
                                            run + every[:2] + every[2:] + ['--metric-options', 'thrs=(0.1,0.5,0.999)', 'average_mode=macro']])
        for s in ['json', 'yaml', 'yml', 'pkl', 'pickle']:
            yield Case(f'test {form} to {s}', [run + every + ['--out', f'all.{s}'] + items, run + ['--out', f'default.{s}'],
                                               run + every + ['--metric-options', 'average_mode=none', '--out', f'none.{s}', '--out-items', 'none']])
        for s in ['csv', 'svg', 'png']:
            yield Case(f'test {form} confusion {s}', [run + ['--confusion', f'c.{s}']])
        yield Case(f'test {form} per class', [run + ['--per-class', 'classes.csv']])
        yield Case(f'test {form} painted', [run + ['--show-dir', 'painted', '--cfg-options', 'data.test.ann_file=few.txt']], files=FEW)
        other = [c for f, _, c in forms if f != form][0]
        yield Case(f'test {form} compare', [run + ['--compare', other, '--compare-out', f'c.{s}'] for s in ['json', 'csv']] + [run + every + ['--compare', other]])
        for name, env, args in [('AVX2', {'GODEBUG': 'cpu.avx512f=off'}, []), ('plain Go', {'GODEBUG': 'cpu.avx512f=off,cpu.avx2=off'}, []),
                                ('one thread', {}, ['--threads', '1']), ('bf16', {}, ['--precision', 'bf16']), ('batch 7', {}, ['--cfg-options', 'data.samples_per_gpu=7'])]:
            yield Case(f'test {form} {name}', [run + every + ['--out', 'a.json'] + args], env=env)
        yield Case(f'test {form} three processes', [run + every + ['--launcher', 'pytorch', '--tmpdir', 'parts', '--out', 'a.json'] + items], ranks=3)
    yield Case('test names of others', [['test', DIGITS_DEPLOY, f'made/digits_{n}.pth', '--out', f'{n}.json'] for n in NAMES])
    yield Case('test folders as classes', [['test', DIGITS, 't/digits/train.pth', '--out', 'a.json'] + every + items + ['--cfg-options', 'data.test.ann_file=None']])
    yield Case('test skip bad images', [['test', DIGITS, 't/digits/train.pth', '--metrics', 'accuracy', '--skip-bad-images', '--out', 'a.json', '--cfg-options', 'data.test.ann_file=bad.txt']],
               files={'bad.txt': '2/0002.png 2\nnone.png 4\n9/0009.png 9\n'})
    yield Case('test a bad image', [['test', DIGITS, 't/digits/train.pth', '--metrics', 'accuracy', '--out', 'a.json', '--cfg-options', 'data.test.ann_file=bad.txt']], True,
               files={'bad.txt': '2/0002.png 2\nnone.png 4\n'})
    yield Case('test with too few class names', [['test', DIGITS, 't/digits/train.pth', '--metrics', 'accuracy', '--cfg-options', 'data.test.classes=[b,a]']])
    for name in FUSE:
        yield Case(f'test photographs {name}', [['test', f'made/photos_{name}.py', f't/fuse/{name}/train.pth', '--metrics', 'accuracy', '--out', 'a.json', '--out-items', 'class_scores', 'filename', 'gt_label']])
    for name in ['mnist', 'fashion']:
        yield Case(f'test {name}', [['test', f'made/{name}.py', 'made/mnist.pth', '--out', 'a.json', '--show-dir', 'painted'] + every + items])
    for kind in ['CIFAR10', 'CIFAR100']:
        yield Case(f'test {kind} of another checksum', [['test', DIGITS, 't/digits/train.pth', '--metrics', 'accuracy', '--cfg-options', f'data.test.type={kind}', 'data.test.data_prefix=t/datasets',
                                                         "data.test.pipeline=[{'type':'ImageToTensor','keys':['img']},{'type':'Collect','keys':['img']}]"]], True)


def pipelines():
    """Resizing and cropping of photographs in many ways, seen through the scores."""
    run = ['test', 'made/photos_plain.py', 't/fuse/plain/train.pth', '--out', 'a.json', '--out-items', 'class_scores', 'filename', '--cfg-options']
    ways = [('pillow', i) for i in ['nearest', 'box', 'bilinear', 'hamming', 'bicubic', 'lanczos']]
    ways += [('cv2', i) for i in ['nearest', 'bilinear', 'bicubic', 'area', 'lanczos']]
    for (backend, interpolation), size in itertools.product(ways, ['(72,-1)', '(97,131)']):
        options = [f'data.test.pipeline.1.{key}={value}' for key, value in [('size', size), ('backend', backend), ('interpolation', interpolation)]]
        yield Case(f'pipeline {backend} {interpolation} {size}', [run + options])
    yield Case('pipeline crop', [run + ['data.test.pipeline.2.crop_size=(40,33)']])
    yield Case('pipeline BGR', [run + ['data.test.pipeline.3.to_rgb=False']])
    yield Case('pipeline JPEG in Go', [run + ['data.samples_per_gpu=3']], env={'REPVGG_TURBOJPEG': '/none'})


def predict(images):
    for f in ['text', 'json', 'csv']:
        yield Case(f'predict {f}', [['predict', DIGITS, 't/digits/train.pth', '--format', f] + images, ['predict', DIGITS_DEPLOY, 't/digits/deploy.pth', '--topk', '5', '--format', f] + images,
                                    ['predict', DIGITS, 't/digits/train.pth', '--topk', '3', '--format', f, images[0]]])
    yield Case('predict A0', [['predict', 'A0', 'made/A0.pth', '--format', 'json', '--topk', '1000'] + images[:8]])
    yield Case('predict JPEG in Go', [['predict', DIGITS, 't/digits/train.pth', '--format', 'json'] + images], env={'REPVGG_TURBOJPEG': '/none'})
    yield Case('predict no image', [['predict', DIGITS, 't/digits/train.pth', images[0], 't/digits/train.pth']], True)


def usage():
    """Wrong calls: the exit status counts. Help is not compared."""
    calls = [['nothing'], ['reparameterize'], ['reparameterize', 'A0', 'a.pth'], ['reparameterize', TINY, 't/checkpoints/ok/train.pth', 'a.onnx'], ['test', DIGITS, 't/digits/train.pth'],
             ['test', DIGITS, 't/digits/train.pth', '--metrics', 'accurcy'], ['test', DIGITS, 't/digits/train.pth', '--out', 'a.xyz'], ['test', DIGITS, 't/digits/deploy.pth', '--metrics', 'accuracy'],
             ['test', DIGITS, 't/digits/train.pth', '--metrics', 'accuracy', '--device', 'tpu'], ['test', DIGITS, 't/digits/train.pth', '--metrics', 'accuracy', '--precision', 'fp16'],
             ['test', DIGITS, 't/digits/train.pth', '--metrics', 'accuracy', '--compare-out', 'a.json'], ['export', DIGITS, 't/digits/train.pth', 'a.txt'],
             ['export', DIGITS, 't/digits/train.pth', 'a.onnx', '--fix-shape', '1', '2', '3'], ['bench'], ['bench', 'A9'], ['bench', 'A0', '--runs', '-5'], ['bench', 'A0', '--form', 'none'],
             ['flops', 'A0', '--shape', '0'], ['zoo', 'x'], ['zoo', '--format', 'x'], ['inspect', 'none.pth'], ['predict', 'A0', 'none.pth'], ['--nothing']]
    for args in calls:
        yield Case('usage ' + ' '.join(args)[:60], [args], True)
