# What a run keeps and prints: a checkpoint per epoch, a log line per 100 steps.
checkpoint_config = dict(interval=1)
log_config = dict(interval=100, hooks=[dict(type='TextLoggerHook')])
log_level = 'INFO'

dist_params = dict(backend='nccl')
load_from = None
resume_from = None
workflow = [('train', 1)]
