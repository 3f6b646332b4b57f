# RepVGG-B3 for the 1000 classes of ImageNet, trained with label smoothing and
# mixup. B2g4, B3g4 and D2se have as many channels (2560) in stage 4.
model = dict(
    type='ImageClassifier',
    backbone=dict(type='RepVGG', arch='B3', out_indices=(3, )),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        in_channels=2560,
        num_classes=1000,
        loss=dict(
            type='LabelSmoothLoss',
            mode='classy_vision',
            label_smooth_val=0.1,
            loss_weight=1.0,
            num_classes=1000),
        topk=(1, 5)),
    train_cfg=dict(
        augments=dict(
            type='BatchMixup', alpha=0.2, prob=1.0, num_classes=1000)))
