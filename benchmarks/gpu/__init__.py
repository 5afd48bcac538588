"""Everything about a GPU that pretraining depends on, measured by one command beside plain baselines.

`python -m benchmarks.gpu` writes `reports/gpu/<device>.json`; `__main__.py` has its options.
"""
