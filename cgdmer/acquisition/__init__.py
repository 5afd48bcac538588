"""Bringing raw corpora and protocol files into the project: a local copy's manifest, or a download."""
