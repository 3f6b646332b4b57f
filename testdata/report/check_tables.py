"""Holds tables of two runs against what NumPy makes of their scores.

usage: check_tables.py CASE.json...

A case names the scores of runs a and b (files of little-endian float32), their classes, labels and image names, and
what was written of them: confusion and perclass (CSV, of a), compare_json and compare_csv (of both).
"""
import csv
import json
import sys

import numpy as np


def close(got, want):
    return np.allclose(np.array(got, np.float64), want, rtol=1e-13, atol=1e-13)


def read(path):
    with open(path, newline="") as f:
        return list(csv.reader(f))


def check_confusion(case, labels, predicted):
    n = len(case["classes"])
    want = np.zeros((n, n), np.int64)
    np.add.at(want, (labels, predicted), 1)
    head, *rows = read(case["confusion"])
    assert head == ["label", "class", *map(str, range(n))], head
    assert [row[:2] for row in rows] == [[str(i), name] for i, name in enumerate(case["classes"])]
    got = np.array([row[2:] for row in rows], np.int64)
    assert (got == want).all(), f"{got}\nwant\n{want}"
    assert case["absent"] == int((want.sum(1) == 0).sum())


def check_perclass(case, labels, predicted):
    head, *rows = read(case["perclass"])
    assert head == "label class support predicted true_positives precision recall f1_score accuracy".split(), head
    assert [row[:2] for row in rows] == [[str(i), name] for i, name in enumerate(case["classes"])]
    for i, row in enumerate(rows):
        truth, positive = labels == i, predicted == i
        tp = (truth & positive).sum()
        assert row[2:5] == [str(truth.sum()), str(positive.sum()), str(tp)], row
        precision = tp / max(positive.sum(), 1) * 100
        recall = tp / max(truth.sum(), 1) * 100
        f1 = 2 * precision * recall / max(precision + recall, np.finfo(np.float32).eps)
        assert close(row[5:], [precision, recall, f1, (truth == positive).mean() * 100]), row


def prediction(case, scores, i):
    label = int(scores[i].argmax())
    return {"label": label, "class": case["classes"][label], "score": float(scores[i][label])}


def check_comparison(case, labels, a, b):
    with open(case["compare_json"]) as f:
        got = json.load(f)
    differing = np.flatnonzero(a.argmax(1) != b.argmax(1))
    assert got["images"] == len(a) and got["same"] == len(a) - len(differing), got
    accuracy = [m for m in got["metrics"] if m["key"] == "accuracy_top-1"]
    assert len(accuracy) == 1
    for run, scores in ("a", a), ("b", b):
        assert abs(accuracy[0][run] - (scores.argmax(1) == labels).mean() * 100) < 1e-4, accuracy
    want = [{"image": case["names"][i], "a": prediction(case, a, i), "b": prediction(case, b, i),
             "truth": {"label": int(labels[i]), "class": case["classes"][labels[i]]}} for i in differing]
    assert got["differing"] == want, f"{got['differing']}\nwant\n{want}"
    rows = [[d["image"]] + [str(v) for run in "ab" for v in (d[run]["label"], d[run]["class"], d[run]["score"])]
            + [str(d["truth"]["label"]), d["truth"]["class"]] for d in want]
    head, *table = read(case["compare_csv"])
    assert len(head) == 9 and [[v if k not in (3, 6) else str(float(v)) for k, v in enumerate(row)] for row in table] == rows
    difference = np.abs(a.astype(np.float64) - b)
    image, label = np.unravel_index(difference.argmax(), difference.shape)
    if difference.max() == 0:
        assert got["largest_difference"] is None
    else:
        assert got["largest_difference"] == {
            "image": case["names"][image], "label": label, "class": case["classes"][label], "a": float(a[image, label]),
            "b": float(b[image, label]), "difference": difference.max()}, got["largest_difference"]
    return len(differing)


differing = 0
for name in sys.argv[1:]:
    with open(name) as f:
        case = json.load(f)
    labels = np.array(case["labels"])
    a, b = (np.fromfile(case[run], "<f4").reshape(len(labels), -1) for run in "ab")
    check_confusion(case, labels, a.argmax(1))
    check_perclass(case, labels, a.argmax(1))
    differing += check_comparison(case, labels, a, b)
assert differing > 0, "no case has images that differ"
print(f"{len(sys.argv) - 1} cases, {differing} images that differ")
