#!/usr/bin/python3
"""Re-encodes the digits as JPEG and computes what the original pipeline gives for them, with OpenCV, Pillow and PyTorch.

  jpeg_expectation.py OUT   # writes OUT/val/*.jpg, OUT/val.txt and OUT/expected.json
"""
import json, os, sys
import cv2, numpy as np, torch
import torch.nn.functional as F
from PIL import Image

here, out = os.path.dirname(os.path.abspath(__file__)), sys.argv[1]
state = torch.load(os.path.join(here, 'train.pth'), map_location='cpu')['state_dict']
MEAN, STD = np.float32([123.675, 116.28, 103.53]), np.float32([58.395, 57.12, 57.375])
# name, stride, groups (configs/repvgg-digits.py)
BLOCKS = [('stem', 2, 1), ('stage_1.0', 1, 1), ('stage_2.0', 2, 1), ('stage_2.1', 1, 2), ('stage_3.0', 2, 1), ('stage_3.1', 1, 4),
          ('stage_3.2', 1, 1), ('stage_4.0', 2, 1)]


def norm(x, p):
    return F.batch_norm(x, *(state[p + k] for k in ('.running_mean', '.running_var', '.weight', '.bias')), eps=1e-5)


def forward(x):
    for name, stride, groups in BLOCKS:
        p = 'backbone.' + name
        y = norm(F.conv2d(x, state[p + '.branch_3x3.conv.weight'], None, stride, 1, 1, groups), p + '.branch_3x3.norm')
        y = y + norm(F.conv2d(x, state[p + '.branch_1x1.conv.weight'], None, stride, 0, 1, groups), p + '.branch_1x1.norm')
        if p + '.branch_norm.weight' in state:
            y = y + norm(x, p + '.branch_norm')
        x = F.relu(y)
    return F.softmax(F.linear(x.mean((2, 3)), state['head.fc.weight'], state['head.fc.bias']), 1)


def pipeline(data):
    img = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    h, w = img.shape[:2]
    if min(h, w) != 36:
        size = (36, int(36 * h / w)) if w < h else (int(36 * w / h), 36)
        img = np.array(Image.fromarray(img).resize(size, Image.BILINEAR))
    h, w = img.shape[:2]
    y, x = max(0, int(round((h - 32) / 2.))), max(0, int(round((w - 32) / 2.)))
    img = np.float32(img[y:y + 32, x:x + 32, ::-1])
    img = cv2.subtract(img, np.float64(MEAN.reshape(1, -1)))
    return cv2.multiply(img, 1 / np.float64(STD.reshape(1, -1))).transpose(2, 0, 1)


tensors, lines = [], []
for i, line in enumerate(open(os.path.join(here, 'data/digits/val.txt')).read().splitlines()):
    name, label = line.rsplit(' ', 1)
    png = cv2.imread(os.path.join(here, 'data/digits/val', name))
    ok, data = cv2.imencode('.jpg', png, [cv2.IMWRITE_JPEG_QUALITY, (95, 80, 50)[i % 3], cv2.IMWRITE_JPEG_PROGRESSIVE, i % 2,
                                          cv2.IMWRITE_JPEG_OPTIMIZE, i // 2 % 2])
    assert ok
    name = os.path.splitext(name)[0] + '.jpg'
    os.makedirs(os.path.dirname(os.path.join(out, 'val', name)), exist_ok=True)
    with open(os.path.join(out, 'val', name), 'wb') as f:
        f.write(data.tobytes())
    tensors.append(pipeline(data.tobytes()))
    lines.append(f'{name} {label}\n')
with open(os.path.join(out, 'val.txt'), 'w') as f:
    f.writelines(lines)
with torch.no_grad():
    scores = forward(torch.from_numpy(np.stack(tensors)))
with open(os.path.join(out, 'expected.json'), 'w') as f:
    json.dump(dict(class_scores=scores.tolist(), pred_label=scores.argmax(1).tolist()), f)
