"""RepVGG in PyTorch, with random weights, for measuring speed. Needs torch alone."""
import torch
from torch import nn

SHALLOW, DEEP = (2, 4, 14, 1), (4, 6, 16, 1)
# Blocks of each stage, width of each stage over (64, 128, 256, 512).
VARIANTS = {
    'A0': (SHALLOW, (0.75, 0.75, 0.75, 2.5)),
    'A1': (SHALLOW, (1, 1, 1, 2.5)),
    'A2': (SHALLOW, (1.5, 1.5, 1.5, 2.75)),
    'B0': (DEEP, (1, 1, 1, 2.5)),
    'B1': (DEEP, (2, 2, 2, 4)),
    'B2': (DEEP, (2.5, 2.5, 2.5, 5)),
    'B3': (DEEP, (3, 3, 3, 5)),
    'D2se': ((8, 14, 24, 1), (2.5, 2.5, 2.5, 5)),
}


def geometry(variant):
    """The blocks as (in, out, stride, groups), the stem first."""
    base, _, groups = variant.partition('g')
    depths, widths = VARIANTS[base]
    channels = min(64, int(64 * widths[0]))
    blocks = [(3, channels, 2, 1)]
    for stage, depth in enumerate(depths):
        out = int(64 * 2**stage * widths[stage])
        for i in range(depth):
            grouped = groups and len(blocks) % 2 == 0 and len(blocks) <= 26
            blocks.append((channels, out, 1 if i else 2, int(groups) if grouped else 1))
            channels = out
    return blocks


class SqueezeExcite(nn.Module):

    def __init__(self, channels):
        super().__init__()
        self.reduce = nn.Conv2d(channels, channels // 16, 1)
        self.expand = nn.Conv2d(channels // 16, channels, 1)

    def forward(self, x):
        gate = torch.nn.functional.adaptive_avg_pool2d(x, 1)
        return x * torch.sigmoid(self.expand(torch.relu(self.reduce(gate))))


class DeployBlock(nn.Sequential):

    def __init__(self, cin, cout, stride, groups, se):
        conv = nn.Conv2d(cin, cout, 3, stride, 1, groups=groups)
        super().__init__(conv, *([SqueezeExcite(cout)] if se else []), nn.ReLU(inplace=True))


class TrainBlock(nn.Module):

    def __init__(self, cin, cout, stride, groups, se):
        super().__init__()
        self.conv3 = nn.Conv2d(cin, cout, 3, stride, 1, groups=groups, bias=False)
        self.norm3 = nn.BatchNorm2d(cout)
        self.conv1 = nn.Conv2d(cin, cout, 1, stride, 0, groups=groups, bias=False)
        self.norm1 = nn.BatchNorm2d(cout)
        self.identity = nn.BatchNorm2d(cin) if cin == cout and stride == 1 else None
        self.se = SqueezeExcite(cout) if se else None

    def forward(self, x):
        y = self.norm3(self.conv3(x)) + self.norm1(self.conv1(x))
        if self.identity is not None:
            y = y + self.identity(x)
        if self.se is not None:
            y = self.se(y)
        return torch.relu(y)


def build(variant, form):
    """The network for inference, as eager PyTorch runs it: nothing is fused."""
    torch.manual_seed(0)
    block = DeployBlock if form == 'deploy' else TrainBlock
    blocks = geometry(variant)
    body = [block(*b, se=variant.endswith('se')) for b in blocks]
    net = nn.Sequential(*body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(blocks[-1][1], 1000))
    return net.eval().requires_grad_(False)


def export(variant, form, batch, path):
    """Writes the network as ONNX. Batch normalizations stay operators of their
    own: fusing them is left to who runs the file."""
    torch.onnx.export(build(variant, form), torch.randn(batch, 3, 224, 224), path, input_names=['x'], output_names=['y'],
                      do_constant_folding=False, training=torch.onnx.TrainingMode.PRESERVE)
