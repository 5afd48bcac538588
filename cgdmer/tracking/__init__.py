"""Owns everything that is said to MLflow: runs, live curves, the registry."""
