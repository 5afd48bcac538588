"""Linear probes: cohorts, label subsets, logistic regression, metrics, bootstrap intervals, published protocols."""
