"""Evaluation beside linear probes: zero-shot, retrieval, robustness, disentanglement, cross-validation, ablations."""
