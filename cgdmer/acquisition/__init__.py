"""Bring raw corpora and protocol files into the project: the manifest of a local copy, or a download."""
