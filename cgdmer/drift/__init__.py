"""Whether two samples of recordings come from the same distribution: statistics and permutation tests."""
