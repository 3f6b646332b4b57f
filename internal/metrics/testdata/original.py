"""Writes original.json: what MMClassification's evaluate() gives for random scores.

    python3 original.py MMCLS_0.25_CHECKOUT original.json

Runs the checkout's own accuracy.py, eval_metrics.py and BaseDataset.evaluate,
taken out of their packages so that only numpy and torch are needed.
"""
import ast
import json
import sys
import warnings

import numpy as np
import torch

warnings.simplefilter('ignore')


def load(path, names=None):
    """The module's globals, with only the asked-for method if there is one."""
    with open(path) as f:
        source = f.read()
    if names is None:
        module = {}
        exec(compile(source, path, 'exec'), module)
        return module
    tree = ast.parse(source)
    found = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == names]
    tree.body = found
    module = {'np': np}
    exec(compile(tree, path, 'exec'), module)
    return module


def main(root, dst):
    losses = load(root + '/mmcls/models/losses/accuracy.py')
    metrics = load(root + '/mmcls/core/evaluation/eval_metrics.py')
    base = load(root + '/mmcls/datasets/base_dataset.py', 'evaluate')
    base['accuracy'] = losses['accuracy']
    base['precision_recall_f1'] = metrics['precision_recall_f1']
    base['support'] = metrics['support']

    class Dataset:
        evaluate = base['evaluate']

        def __init__(self, labels):
            self.labels = labels

        def get_gt_labels(self):
            return self.labels

    everything = ['f1_score', 'support', 'recall', 'accuracy', 'precision']
    cases = []
    for seed, (n, classes, metric, options) in enumerate([
        (37, 7, everything, {}),
        (37, 7, everything, {'average_mode': 'none'}),
        (23, 6, everything, {'topk': 2, 'thrs': 0.3}),
        (23, 6, everything, {'topk': (3, 1, 6), 'thrs': (0.0, 0.1, 0.5)}),
        (23, 6, everything, {'thrs': (0.25, 0.9), 'average_mode': 'none'}),
        (11, 40, everything, {}),  # absent classes
        (11, 40, ['recall'], {'thrs': 0.5}),
        (64, 5, ['accuracy'], {'topk': (1, 2, 3, 4, 5)}),
        (9, 5, ['support', 'f1_score'], {'average_mode': 'none'}),
        (7, 5, ['accuracy', 'f1_score'], {'thrs': (0.501, 0.502)}),  # one key
    ]):
        rng = np.random.RandomState(seed)
        logits = torch.from_numpy(rng.randn(n, classes).astype(np.float32) * 1.5)
        scores = logits.softmax(1).numpy()
        labels = rng.randint(0, classes, n)
        labels[::2] = scores.argmax(1)[::2]
        result = Dataset(labels).evaluate(list(scores), metric=metric, metric_options=options)
        cases.append({
            'classes': classes,
            'scores': scores.ravel().tolist(),
            'labels': labels.tolist(),
            'metrics': metric,
            'options': options,
            'keys': list(result),
            'values': [np.asarray(v).tolist() for v in result.values()],
            'printed': [str([round(x, 2) for x in v.tolist()] if isinstance(v, np.ndarray) else round(v, 2))
                        for v in result.values()],
        })
    with open(dst, 'w') as f:
        f.write('[\n' + ',\n'.join(json.dumps(case) for case in cases) + '\n]\n')


if __name__ == '__main__':
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
