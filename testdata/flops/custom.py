# A network with everything that the tree of modules can show and the zoo's lacks.
model = dict(
    type='ImageClassifier',
    init_cfg=dict(type='Pretrained', checkpoint='somewhere.pth'),
    backbone=dict(
        type='RepVGG',
        arch=dict(
            num_blocks=[2, 1, 2, 1],
            width_factor=[0.5, 0.5, 0.25, 0.25],
            group_layer_map={2: 4, 4: 2},
            se_cfg=dict(ratio=4, divisor=2),
            stem_channels=24),
        strides=(1, 2, 1, 2),
        dilations=(1, 1, 2, 1),
        out_indices=(2, ),
        norm_cfg=dict(type='BN', eps=1e-3, momentum=0.03),
        act_cfg=dict(type='ReLU', inplace=True),
        init_cfg=[dict(type='Kaiming', layer='Conv2d', a=2.5, distribution='uniform')]),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        num_classes=17,
        in_channels=64,
        init_cfg=None,
        loss=dict(type='LabelSmoothLoss', label_smooth_val=0.1)))
