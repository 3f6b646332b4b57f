#!/usr/bin/env python3
"""Runs two builds of repvgg on everything in this folder and compares what they print and write.

  python3 same_outputs.py OLD NEW [--only WORDS] [--large] [--keep FOLDER]

A change that is not meant to change results is checked so: OLD is a binary from before it, NEW one from after it,
both built in the same way. Exit status, stdout and every file must be the same bytes. Only the time of day, the
binary's version and Go's are masked. A difference of stderr is noted but fails nothing: errors and notes may be
reworded. --only runs the cases whose names have all of these words, --large also makes checkpoints of B1g4 and D2se
(1.5 GB), --keep leaves the outputs of differing cases in a folder.

The exit status is 1 if any case differs.
"""
import argparse
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, HERE)
import same_outputs_cases  # noqa: E402  (found beside this file)

# What is masked.
TIME = re.compile(rb'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)')
GO = re.compile(rb'go1\.\d+(\.\d+)?')
TIMEOUT = 600


class Build:
    """One of the two binaries, and the folder that its cases run in."""

    def __init__(self, name, path, root):
        self.path = os.path.abspath(path)
        self.root = os.path.join(root, name)
        text = subprocess.run([self.path, '--version'], check=True, capture_output=True).stdout.decode()
        self.version = text.split()[-1].encode()
        self.reflow = False  # whether versions of other lengths break lines at other places

    def run(self, case, made):
        """Runs a case's commands in an empty folder; gives what they printed and returned."""
        folder = os.path.join(self.root, case.name.replace('/', '_').replace(' ', '_'))
        os.makedirs(folder)
        # Inputs have the same relative paths in both folders, since paths are printed and written.
        for link, to in (('t', HERE), ('made', made), ('data', os.path.join(HERE, 'digits', 'data'))):
            os.symlink(to, os.path.join(folder, link))
        for name, text in case.files.items():
            with open(os.path.join(folder, name), 'w') as f:
                f.write(text)
        env = {k: v for k, v in os.environ.items() if not k.startswith(('REPVGG_', 'SLURM_', 'OMPI_'))}
        env.update(TZ='UTC', LC_ALL='C.UTF-8')
        env.update(case.env)
        outputs = {}
        for i, args in enumerate(case.commands):
            ranks = [subprocess.Popen([self.path] + args, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, env={**env, **rank_env(rank, case.ranks)})
                     for rank in range(case.ranks)]
            for rank, process in enumerate(ranks):
                try:
                    stdout, stderr = process.communicate(timeout=TIMEOUT)
                except subprocess.TimeoutExpired:
                    process.kill()
                    stdout, stderr = process.communicate()
                where = f'command {i + 1}' if case.ranks == 1 else f'command {i + 1} rank {rank}'
                outputs[where, 'exit status'] = str(process.returncode).encode()
                outputs[where, 'stdout'] = stdout
                outputs[where, 'stderr'] = stderr
        return folder, outputs

    def masked(self, data):
        # In an ONNX model the version's length stands before it.
        data = data.replace(b'\x1a' + bytes([len(self.version)]) + self.version, b'\x1aVERSION')
        data = data.replace(self.version, b'VERSION')
        if self.reflow:
            data = b'\n\n'.join(b' '.join(p.split()) if b'VERSION' in p else p for p in data.split(b'\n\n'))
        return GO.sub(b'GO', TIME.sub(b'TIME', data))


def rank_env(rank, ranks):
    """What torchrun sets for one of several processes."""
    if ranks == 1:
        return {}
    return {'WORLD_SIZE': str(ranks), 'RANK': str(rank), 'LOCAL_RANK': str(rank), 'MASTER_ADDR': '127.0.0.1'}


def files(folder):
    """Every file that commands wrote into a folder, by its path there."""
    found = {}
    for root, folders, names in os.walk(folder):
        for name in names + [f for f in folders if not os.listdir(os.path.join(root, f))]:
            path = os.path.join(root, name)
            if not os.path.islink(path):
                found[os.path.relpath(path, folder)] = path
    return found


def read(path):
    if os.path.isdir(path):
        return b'an empty folder'
    with open(path, 'rb') as f:
        return f.read()


def compare(old, new, case, made):
    """Runs a case with both builds. Gives the differences, and those of stderr apart."""
    with concurrent.futures.ThreadPoolExecutor(2) as both:
        a, b = both.map(lambda build: build.run(case, made), (old, new))
    (old_folder, old_out), (new_folder, new_out) = a, b
    differences, notes = [], []
    for (where, what), value in old_out.items():
        other = new_out[where, what]
        if value != other and old.masked(value) != new.masked(other):
            text = f'{where}: {what}: {first_difference(old.masked(value), new.masked(other))}'
            (notes if what == 'stderr' else differences).append(text)
    old_files, new_files = files(old_folder), files(new_folder)
    for name in sorted(old_files.keys() | new_files.keys()):
        if name not in new_files or name not in old_files:
            differences.append(f'file {name}: written by {"OLD" if name in old_files else "NEW"} only')
            continue
        x, y = read(old_files[name]), read(new_files[name])
        if x != y and old.masked(x) != new.masked(y):
            differences.append(f'file {name}: {first_difference(old.masked(x), new.masked(y))}')
    refused = [value != b'0' for (_, what), value in old_out.items() if what == 'exit status']
    if case.refused is not None and any(refused) != case.refused:
        differences.append('OLD ' + ('refuses' if any(refused) else 'does not refuse') + ' this, the case is wrong: ' +
                           b' '.join(v for (_, what), v in old_out.items() if what == 'stderr').decode(errors='replace').strip())
    return differences, notes, (old_folder, new_folder)


def first_difference(x, y):
    """The first line in which two outputs differ, if they are text, or the place."""
    if b'\0' in x[:4096] or b'\0' in y[:4096]:
        at = next((i for i, (p, q) in enumerate(zip(x, y)) if p != q), min(len(x), len(y)))
        return f'{len(x)} and {len(y)} bytes, the first difference at {at}'
    x, y = x.decode(errors='replace').splitlines(), y.decode(errors='replace').splitlines()
    for i in range(max(len(x), len(y))):
        p, q = (lines[i] if i < len(lines) else '(end)' for lines in (x, y))
        if p != q:
            return f'line {i + 1}: {around(p, q)!r} and {around(q, p)!r}'
    return 'the ends of lines'


def around(line, other):
    """The part of a line that differs, with a little before it."""
    at = len(os.path.commonprefix([line, other]))
    return line[max(0, at - 20):at + 100]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('old')
    parser.add_argument('new')
    parser.add_argument('--only', nargs='*', default=[])
    parser.add_argument('--large', action='store_true')
    parser.add_argument('--keep')
    args = parser.parse_args()

    root = tempfile.mkdtemp(prefix='same_outputs-')
    try:
        old, new = Build('old', args.old, root), Build('new', args.new, root)
        old.reflow = new.reflow = len(old.version) != len(new.version)
        made = os.path.join(root, 'made')
        cases = same_outputs_cases.make(HERE, made, old.path, args.large)
        cases = [c for c in cases if all(word in c.name for word in args.only)]
        if not cases:
            sys.exit('no case has a name with all of: ' + ' '.join(args.only))
        width = max(len(c.name) for c in cases)
        same = different = 0
        for case in cases:
            differences, notes, folders = compare(old, new, case, made)
            print(f'{case.name:{width}}  {"DIFFERENT" if differences else "same"}', flush=True)
            for text in differences:
                print(f'    {text}')
            for text in notes:
                print(f'    note: {text}')
            for build, folder in zip(('old', 'new'), folders):
                if differences and args.keep:
                    to = os.path.join(args.keep, build, os.path.basename(folder))
                    shutil.copytree(folder, to, symlinks=True, dirs_exist_ok=True)
                shutil.rmtree(folder)
            same, different = same + (not differences), different + bool(differences)
        print(f'{same} same, {different} different')
    finally:
        shutil.rmtree(root, ignore_errors=True)
    sys.exit(1 if different else 0)


if __name__ == '__main__':
    main()
