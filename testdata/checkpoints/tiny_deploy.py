_base_ = './tiny.py'
model = dict(backbone=dict(deploy=True))
