"""Owns the benchmark: cohorts, probes, zero-shot, retrieval, and metrics with intervals."""
