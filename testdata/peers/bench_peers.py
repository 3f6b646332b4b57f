#!/usr/bin/env python3
"""Measures repvgg bench beside onnxruntime and PyTorch on this machine.

    bench_peers.py REPVGG [--archs A0 B1] [--batch 1 32] [--form deploy]
                          [--precision fp32 bf16] [--threads N] [--rounds 5]

They take turns: in each round every engine runs the same network once for some
seconds, the first of a round being another each time, so that what disturbs the
machine meets all of them. A figure is the median over the rounds of the median
run of a turn; beside it stand the slowest and the fastest round. Weights are
random, the input is of 224 x 224. Start-up, loading and first runs don't count.

onnxruntime is run by node through the package onnxruntime-node, looked for in
NODE_PATH, on networks that PyTorch exports; it has no bf16 on CPUs. A peer that
is missing is named and left out. --isa avx2 keeps repvgg and PyTorch from using
AVX-512 and AMX; onnxruntime can't be kept from it, and is left out.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))


class Missing(Exception):
    """An engine can't run this case; the text says why."""


def note(text):
    print('bench-peers: ' + text, file=sys.stderr, flush=True)


def last_line(text):
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else 'no message'


class Worker:
    """A peer's process, which keeps its network between turns."""

    def __init__(self, command, env=None):
        self.errors = tempfile.TemporaryFile('w+')
        self.process = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True)
        try:
            ready = self.answer()
        except BaseException:
            self.close()
            raise
        self.version, self.note = ready['version'], ready.get('note', '')

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            self.errors.seek(0)
            raise Missing(last_line(self.errors.read()))
        return json.loads(line)

    def turn(self, seconds):
        try:
            self.process.stdin.write(f'{seconds}\n')
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # answer says why
        return statistics.median(self.answer())

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        self.errors.close()


class Ours:
    """repvgg bench, started anew for each turn; it warms up by itself."""

    def __init__(self, args, case):
        self.command = [args.repvgg, 'bench', 'repvgg-' + case['arch'], '--form', case['form'], '--device', 'cpu',
                        '--precision', case['precision'], '--batch-size', str(case['batch_size']),
                        '--threads', str(args.threads), '--format', 'json']
        self.env = dict(os.environ)
        if args.isa:
            self.env['GODEBUG'] = ','.join(filter(None, [self.env.get('GODEBUG'), 'cpu.avx512f=off']))
        self.version, self.note = '', ''

    def turn(self, seconds):
        done = subprocess.run(self.command + ['--duration', f'{seconds:g}s'], env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise Missing(last_line(done.stderr))
        result = json.loads(done.stdout)
        row, = result['rows']
        self.version = result.get('machine', {}).get('repvgg_version', '')
        self.note = row.get('kernels', '')
        if row['latency_ms_median'] is None:
            raise Missing('repvgg bench measured nothing')
        return row['latency_ms_median']

    def close(self):
        pass


def start_torch(args, case):
    env = dict(os.environ)
    if args.isa:
        env['ONEDNN_MAX_CPU_ISA'] = args.isa.upper()
    return Worker([args.python, '-B', os.path.join(HERE, 'torch_peer.py'), case['arch'], case['form'],
                   str(case['batch_size']), str(args.threads), case['precision']], env)


def start_onnxruntime(args, case):
    if case['precision'] != 'fp32':
        raise Missing('has no bf16 on CPUs')
    path = os.path.join(args.models, 'net.onnx')  # one at a time: they are large
    done = subprocess.run([args.python, '-B', os.path.join(HERE, 'torch_peer.py'), case['arch'], case['form'], str(case['batch_size']), '--export', path],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise Missing('no network to run: exporting failed: ' + last_line(done.stderr))
    try:
        return Worker([args.node, os.path.join(HERE, 'onnxruntime_peer.js'), path, str(case['batch_size']), str(args.threads)])
    finally:
        os.remove(path)


def works(command):
    """Runs a command; the answer is empty, or why it failed."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)
    except (OSError, subprocess.TimeoutExpired) as err:
        return str(err)
    if done.returncode == 0:
        return ''
    errors = [line for line in done.stderr.splitlines() if 'Error' in line]
    return errors[0].strip() if errors else last_line(done.stderr)


def find_engines(args):
    """The engines that are there, by name."""
    engines = {'repvgg': Ours}
    why = works([args.python, '-c', 'import torch'])
    if why:
        note(f'PyTorch is missing: {why}')
        note('onnxruntime is left out: PyTorch exports its networks')
        return engines
    if args.isa:
        note('onnxruntime is left out: it can\'t be kept to ' + args.isa)
    else:
        why = works([args.node, os.path.join(HERE, 'onnxruntime_peer.js')])
        if why:
            note(f'onnxruntime is missing: {why} (npm install --ignore-scripts onnxruntime-node in some folder, and NODE_PATH=folder/node_modules)')
        else:
            engines['onnxruntime'] = start_onnxruntime
    engines['PyTorch'] = start_torch
    return engines


def measure(args, engines, case):
    """The rows of one network under one setting, one for each engine that ran it."""
    running, rounds = {}, {}
    rows = []
    try:
        for name, start in engines.items():
            try:
                running[name] = start(args, case)
                rounds[name] = []
            except Missing as err:
                note(f'{describe(case)}: {name} is left out: {err}')
        for i in range(args.rounds):
            order = list(running)
            order = order[i % len(order):] + order[:i % len(order)] if order else []
            for name in order:
                time.sleep(0.3)  # let the other's threads stop spinning
                try:
                    rounds[name].append(running[name].turn(args.seconds))
                except Missing as err:
                    note(f'{describe(case)}: {name} is left out: {err}')
                    running.pop(name).close()
        for name, engine in running.items():
            if not rounds[name]:
                continue
            latency = statistics.median(rounds[name])
            rows.append(dict(case, engine=name, version=engine.version, note=engine.note, threads=args.threads, isa=args.isa or 'all',
                             latency_ms_median=latency, latency_ms_rounds=rounds[name],
                             images_per_second=case['batch_size'] / latency * 1e3))
    finally:
        for engine in running.values():
            engine.close()
    ours = next((r for r in rows if r['engine'] == 'repvgg'), None)
    for row in rows:
        row['ours_over_this'] = ours['images_per_second'] / row['images_per_second'] if ours else None
    return rows


def describe(case):
    return f"{case['arch']} {case['form']} {case['precision']} batch {case['batch_size']}"


def cell(row):
    """Images a second, and those of the slowest and the fastest round."""
    rates = [row['batch_size'] / ms * 1e3 for ms in row['latency_ms_rounds']]
    return f"{row['images_per_second']:.1f} ({min(rates):.1f}-{max(rates):.1f})"


def table(rows, engines):
    """The lines of a table with a line for each case."""
    peers = [name for name in engines if name != 'repvgg']
    lines = [['', 'repvgg'] + [text for name in peers for text in (name, 'ratio')]]
    for title in dict.fromkeys(describe(r) for r in rows):
        found = {r['engine']: r for r in rows if describe(r) == title}
        line = [title, cell(found['repvgg']) if 'repvgg' in found else '-']
        for name in peers:
            row = found.get(name)
            line += [cell(row) if row else '-', f"{row['ours_over_this']:.2f}" if row and row['ours_over_this'] else '-']
        lines.append(line)
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return ['  '.join([line[0].ljust(widths[0])] + [text.rjust(w) for text, w in zip(line[1:], widths[1:])]).rstrip() for line in lines]


def cpu_model():
    try:
        with open('/proc/cpuinfo') as f:
            return next(line.split(':', 1)[1].strip() for line in f if line.startswith('model name'))
    except (OSError, StopIteration):
        return 'unknown'


def usable_cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()


def parse():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('repvgg', help='the program to measure')
    p.add_argument('--archs', nargs='+', default=['A0'])
    p.add_argument('--batch', nargs='+', type=int, default=[1, 32])
    p.add_argument('--form', nargs='+', default=['deploy'], choices=['train', 'deploy'])
    p.add_argument('--precision', nargs='+', default=['fp32', 'bf16'], choices=['fp32', 'bf16'])
    p.add_argument('--threads', type=int, default=0, help='0: all cores')
    p.add_argument('--rounds', type=int, default=5)
    p.add_argument('--seconds', type=float, default=3, help='of each turn (three runs at least)')
    p.add_argument('--isa', default='', choices=['', 'avx2'], help='keep to these instructions')
    p.add_argument('--python', default='/usr/bin/python3', help='the Python that has torch')
    p.add_argument('--node', default='node')
    p.add_argument('--json', metavar='FILE', help='also write the rows; - prints them instead of the table')
    args = p.parse_args()
    if args.rounds < 1 or args.threads < 0 or min(args.batch) < 1:
        p.error('want a positive number of rounds, threads and images')
    args.threads = args.threads or usable_cores()
    args.repvgg = shutil.which(args.repvgg) or p.error(f'no program {args.repvgg}')
    return args


def main():
    args = parse()
    engines = find_engines(args)
    rows, interrupted = [], False
    with tempfile.TemporaryDirectory() as args.models:
        try:
            for arch in args.archs:
                for form in args.form:
                    for precision in args.precision:
                        for batch in args.batch:
                            case = dict(arch=arch, form=form, precision=precision, batch_size=batch)
                            found = measure(args, engines, case)
                            rows += found
                            if found:
                                note(describe(case) + ': ' + ', '.join(f"{r['engine']} {cell(r)}" for r in found))
        except KeyboardInterrupt:
            interrupted = True
            note('interrupted; what was measured follows')
    machine = dict(cpu_model=cpu_model(), cpu_cores=os.cpu_count(), threads=args.threads)
    if args.json:
        text = json.dumps(dict(machine=machine, rounds=args.rounds, seconds=args.seconds, rows=rows), indent=2) + '\n'
        if args.json == '-':
            sys.stdout.write(text)
        else:
            with open(args.json, 'w') as f:
                f.write(text)
    if rows and args.json != '-':
        print(f"images/s, median of {args.rounds} rounds (slowest-fastest); ratio = repvgg over the peer")
        print(f"{machine['cpu_model']}, {args.threads} threads" + (f', {args.isa} only' if args.isa else ''))
        versions = dict.fromkeys(' '.join(filter(None, (r['engine'], r['version']))) for r in rows)
        print(', '.join(versions))
        print('\n'.join(table(rows, engines)))
    if interrupted:
        return 130
    return 0 if any(r['engine'] == 'repvgg' for r in rows) else 1


if __name__ == '__main__':
    sys.exit(main())
