# The network of the checkpoints in this folder: small enough to ship in every container and dtype.
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='RepVGG',
        arch=dict(
            num_blocks=[1, 2, 1, 1],
            width_factor=[0.0625, 0.0625, 0.0625, 0.0625],
            group_layer_map={3: 2},
            se_cfg=None)),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=5, in_channels=32))
