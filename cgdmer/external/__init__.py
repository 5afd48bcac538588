"""Sets of real recordings that only evaluate an encoder: LUDB, CODE-15 and local copies of the benchmark corpora."""
