"""Prefect flows: pipeline and ablations, which wrap `dvc repro`, and daily flows, which call `cgdmer.operations`."""
