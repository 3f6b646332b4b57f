#!/usr/bin/env python3
"""Runs the cases of a folder of reports from users, and prints a table of what became of each.

  python3 field.py REPVGG FOLDER [--only NAME] [--keep FOLDER]

Each folder NAME in FOLDER has inputs, `cmd`, which is run in a shell, and `want`, which says in words what is right.
Beside FOLDER there is a folder `golden` with the digits of this repository. Nothing is written there: the commands run
in a copy. EXPECT below says what of each want is checked; a folder that it does not know is run, and its output shown.

The exit status is 1 if a case is not as expected, runs longer than a minute, takes more than 4 GB, or ends with Go's
dump of goroutines.
"""
import argparse
import glob
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time

TIMEOUT = 60
MEMORY = 4 << 30
ACCURACY = r'accuracy_top-1 : 99\.33\s+accuracy_top-5 : 100\.0'


class Run:
    """What a command printed and left."""

    def __init__(self, root, name, script, path):
        self.folder = os.path.join(root, 'field', name)
        self.digits = os.path.join(root, 'golden', 'digits')
        start = time.monotonic()
        env = {**os.environ, 'PATH': path + os.pathsep + os.environ['PATH'], 'LC_ALL': 'C.UTF-8', 'PYTHONDONTWRITEBYTECODE': '1'}
        child = subprocess.Popen(['bash', '-c', script], cwd=os.path.join(root, 'field'), env=env, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        try:
            out, err = child.communicate(timeout=TIMEOUT)
            self.timed_out = False
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, 9)
            out, err = child.communicate()
            self.timed_out = True
        self.seconds = time.monotonic() - start
        self.status = child.returncode
        self.out, self.err = out.decode(errors='replace'), err.decode(errors='replace')


def has(*patterns, status=None, out=()):
    """Wants these in what was printed, `out` in stdout, and the exit status."""
    def check(run):
        for p in patterns:
            if not re.search(p, run.out + run.err):
                return 'lacks ' + p
        for p in (out,) if isinstance(out, str) else out:
            if not re.search(p, run.out):
                return 'stdout lacks ' + p
        if status is not None and run.status != status:
            return f'status {run.status}, want {status}'
    return check


def count(pattern, n):
    def check(run):
        found = len(re.findall(pattern, run.out))
        if found != n:
            return f'{found} times {pattern}, want {n}'
    return check


def deploys(*names):
    """Wants the 18 tensors of golden/digits/deploy.pth, bit for bit."""
    def check(run):
        for name in names:
            path = os.path.join(run.folder, name)
            if not os.path.exists(path):
                return f'{name} was not written: ' + run.err.strip().split('\n')[-1][:200]
            script = ('import sys, torch\n'
                      'a, b = (torch.load(p, map_location="cpu") for p in sys.argv[1:])\n'
                      'b = b.get("state_dict", b)\n'
                      'sys.exit(0 if list(a) == list(b) and all(torch.equal(a[k], b[k]) and a[k].dtype == b[k].dtype for k in a) else 1)\n')
            if subprocess.run(['/usr/bin/python3', '-c', script, path, os.path.join(run.digits, 'deploy.pth')]).returncode:
                return f'{name} has other tensors'
    return check


def leaves(*names):
    """Wants files of the digits as they were."""
    def check(run):
        for folder, name in names:
            got = open(os.path.join(run.folder, '..', folder, name), 'rb').read()
            if got != open(os.path.join(run.digits, name), 'rb').read():
                return f'{folder}/{name} was changed'
    return check


def pictures(run):
    """Wants no picture that is cut short, and no temporary file."""
    for root, _, names in os.walk(os.path.join(run.digits, '..', 'imagenet-sample', 't8', 'show')):
        for name in names:
            data = open(os.path.join(root, name), 'rb').read()
            if name.endswith('.tmp') or not data.endswith((b'\xff\xd9', b'IEND\xaeB`\x82')):
                return f'{name} is left with {len(data)} bytes'


EXPECT = {
    '01': [deploys('deploy.pth'), has('counts of thop')],
    '02': [deploys('deploy.pth'), has('AveragedModel')],
    '04': [deploys('deploy.pth')],
    '05': [count(r'0\.9996  0 \(0\)', 2)],
    # Until it is read: an error that names it.
    '06': [has(r'grayscale|' + ACCURACY)],
    '07': [has(r'ConcatDataset|accuracy_top-1 : 99\.33')],
    '08': [has(r'"Pad"|accuracy_top-1 : 72\.0')],
    '09': [count(r'1\.0000  0 \(0\)', 2)],
    '10': [count(r'1\.0000  0 \(0\)', 2)],
    '11': [count(r'  0 \(0\)', 4)],
    '12': [count(r'  0 \(0\)', 3)],
    '13': [deploys('deploy.pth')],
    '14': [deploys('deploy.pth', 'ds_deploy.pth')],
    '15': [deploys('deploy.pth')],
    '16': [deploys('deploy.pth')],
    '17': [deploys('deploy.pth')],
    '18': [count(ACCURACY, 2)],
    '19': [has(r'\.ipynb_checkpoints', ACCURACY, status=0)],
    '20': [has(r'(zero \(0\)[\s\S]*10 recorded|dataset_meta)')],
    '21': [count(r'accuracy_top-1 : 100\.0', 2)],
    '22': [count(r'0101\.png: 1\.0000  0 \(0\)', 1), count(r'0099\.png: .*  1 \(1\)', 1), has('truncated.png', status=1)],
    '23': [has(ACCURACY, status=0)],
    '28': [has(r'head\.fc\.weight has the value NaN', status=1)],
    '29': [has(r"another network's head|bbox_head", r'the backbone alone|Done!')],
    '30': [deploys('deploy.pth')],
    'a01': [has(status=0)],
    'a02': [has(r'it is data_prefix', ACCURACY, status=0), leaves(('c02', 'data/digits/val/0/0101.png'))],
    'a03': [has(r'it is the ann_file', r'it is the image', r'it is the file of settings'),
            leaves(('c03', 'data/digits/val.txt'), ('c03', 'data/digits/val/0/0101.png'))],
    'a04': [has(r'repvgg: '), has(status=1)],
    'a05': [],
    'a06': [has(r'too large')],
    'a07': [has(r'not a regular file', r'rc=[01]\b')],
    'a08': [has(r'no space left'), pictures],
    'a09': [has(r'rc=1\b', r'repvgg: .*16000 x 16000')],
    'a10': [],
    'a11': [has(r'torch loads it')],
    'a12': [has(r'rc=[01]\b')],
}


def copy(folder, root):
    """Makes the folders that the commands run in. What they do not write to are links."""
    golden = os.path.join(folder, '..', 'golden')
    os.makedirs(os.path.join(root, 'golden', 'imagenet-sample'))
    shutil.copytree(os.path.join(golden, 'digits'), os.path.join(root, 'golden', 'digits'))
    for path in glob.glob(os.path.join(golden, 'imagenet-sample', '*')):
        os.symlink(os.path.abspath(path), os.path.join(root, 'golden', 'imagenet-sample', os.path.basename(path)))
    shutil.copytree(folder, os.path.join(root, 'field'))
    for parent, folders, files in os.walk(root):
        for name in folders + files:
            path = os.path.join(parent, name)
            if not os.path.islink(path):
                os.chmod(path, os.stat(path).st_mode | 0o600)


def verdict(name, run):
    if run.timed_out:
        return f'runs longer than {TIMEOUT} s'
    if 'goroutine 1 [' in run.err:
        return "ends with Go's dump"
    for check in EXPECT.get(name.split('-')[0], [lambda run: 'is not known: look']):
        fault = check(run)
        if fault:
            return fault
    return ''


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('repvgg')
    parser.add_argument('folder')
    parser.add_argument('--only', default='')
    parser.add_argument('--keep')
    args = parser.parse_args()
    names = sorted(n for n in os.listdir(args.folder) if os.path.exists(os.path.join(args.folder, n, 'cmd')) and args.only in n)
    failed = []
    for name in names:
        with tempfile.TemporaryDirectory() as root:
            os.symlink(os.path.join(root, 'root', 'field'), os.path.join(root, 'field'))
            root = os.path.join(root, 'root')
            copy(args.folder, root)
            with open(os.path.join(args.folder, name, 'cmd')) as f:
                script = f.read()
            if 'go build' in script or 'go test' in script or 'tmux' in script:
                print(f'{name:32} needs Go or a terminal: by hand')
                continue
            run = Run(root, name, script, os.path.dirname(os.path.abspath(args.repvgg)))
            fault = verdict(name, run)
            print(f'{name:32} {run.seconds:6.1f} s  {"ok" if not fault else "FAILS: " + fault}', flush=True)
            if fault:
                failed.append(name)
                for line in (run.out.strip()[-600:] + '\n' + run.err.strip()[-1200:]).split('\n'):
                    print('    ' + line[:240])
            if args.keep:
                shutil.copytree(root, os.path.join(args.keep, name), symlinks=True)
    print(f'{len(names) - len(failed)} of {len(names)} are as expected')
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    main()
