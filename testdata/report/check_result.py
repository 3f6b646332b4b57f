"""Reads result files with Python's own readers and holds them against NumPy.

usage: check_result.py CASE.json...

A case names a result file (path), what it was made of (metrics, classes and names as hex, labels, scores
as a file of little-endian float32) and the items that it is to hold.
"""
import io
import json
import os
import pickle
import pickletools
import sys

import numpy as np
import yaml


def expected(case):
    """The dict that the original's test.py would dump, with our extra items."""
    result = {}
    for key, value in case["metrics"]:
        if key == "support" and isinstance(value, list):
            value = np.array(value, np.int64)
        elif isinstance(value, list):
            value = np.array([float(v) for v in value], np.float64)
        else:
            value = float(value)
        result[key] = value
    classes, names = ([os.fsdecode(bytes.fromhex(name)) for name in case[key]] for key in ("classes", "names"))
    scores = np.fromfile(case["scores"], "<f4").reshape(-1, max(len(classes), 1))
    labels = scores.argmax(axis=1)
    items = {
        "class_scores": scores,
        "pred_score": scores.max(axis=1),
        "pred_label": labels,
        "pred_class": [classes[i] for i in labels],
        "filename": names,
        "gt_label": np.array(case["labels"], np.int64),
    }
    result.update((key, items[key]) for key in case["items"])
    return result


def plain(value):
    return value.tolist() if isinstance(value, np.ndarray) else value


def same(got, want):
    """Equal, of the same type, NaN equal to NaN."""
    if type(got) is not type(want):
        return False
    if isinstance(want, np.ndarray):
        return (got.dtype == want.dtype and got.dtype.isnative and got.shape == want.shape
                and got.flags.writeable and got.tobytes() == want.tobytes())
    if isinstance(want, list):
        return len(got) == len(want) and all(map(same, got, want))
    if isinstance(want, float):
        return np.float64(got).tobytes() == np.float64(want).tobytes() or got != got and want != want
    return got == want


def check_pickle(path, want):
    data = open(path, "rb").read()
    protocols = [op.proto for op, _, _ in pickletools.genops(data)]
    assert max(protocols) <= 2 and data[:2] == b"\x80\x02", f"protocol {max(protocols)}"
    got = pickle.loads(data)
    assert list(got) == list(want), f"keys {list(got)}"
    for key in want:
        assert same(got[key], want[key]), f"{key} is {got[key]!r}, want {want[key]!r}"


def check_json(path, want):
    text = io.StringIO()
    json.dump({key: plain(value) for key, value in want.items()}, text)
    got = open(path, "rb").read().decode("ascii")
    assert got == text.getvalue(), f"{got[:300]}\nwant\n{text.getvalue()[:300]}"


def check_yaml(path, want):
    want = {key: plain(value) for key, value in sorted(want.items())}
    for key in ("filename", "pred_class"):  # no YAML holds a lone surrogate
        if key in want:
            want[key] = [name.encode(errors="surrogateescape").decode(errors="replace") for name in want[key]]
    text = open(path, encoding="ascii").read()
    for loader in yaml.SafeLoader, getattr(yaml, "CSafeLoader", yaml.SafeLoader):
        got = yaml.load(text, loader)
        assert list(got) == list(want), f"keys {list(got)}"
        for key in want:
            assert same(got[key], want[key]), f"{key} is {got[key]!r}, want {want[key]!r}"
    if not any(isinstance(value, list) and value and not isinstance(value[0], (int, float)) for value in want.values()):
        assert text == yaml.dump(want), f"{text}\nwant\n{yaml.dump(want)}"


for name in sys.argv[1:]:
    with open(name) as f:
        case = json.load(f)
    try:
        check = {"json": check_json, "yaml": check_yaml, "yml": check_yaml, "pkl": check_pickle, "pickle": check_pickle}
        check[case["path"].rsplit(".", 1)[1]](case["path"], expected(case))
    except Exception as error:
        sys.exit(f"{case['path']}: {type(error).__name__}: {error}")
print(f"{len(sys.argv) - 1} files, numpy {np.__version__}, PyYAML {yaml.__version__}")
