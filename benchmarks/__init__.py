"""Measurements beside the pipeline: speed against baselines, variants of the method, rehearsals at size."""
