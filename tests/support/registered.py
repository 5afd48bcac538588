"""A small encoder in the registry of the current MLflow."""

import numpy as np

from cgdmer import paths
from cgdmer.encoders.pretrained import open_folder
from cgdmer.tracking import aliases, registry, server
from support import example_report

SIGNAL = np.random.default_rng(0).normal(size=(2, 12, 1000)).astype(np.float32)
REPORTS = ["sinus rhythm."]


def example() -> registry.Example:
    """Write a model folder with weights here; return what its encoders make of a signal and a report."""
    example_report.write_model(example_report.index())
    encoder = open_folder(paths.MODEL)
    return registry.Example(SIGNAL, encoder.encode(SIGNAL), REPORTS, encoder.encode_reports(REPORTS))


def begin() -> str:
    """Start a run of the project's experiment and return its id."""
    client = server.connect()
    return str(client.create_run(server.experiment(client)).info.run_id)


def champion() -> registry.Example:
    """Register the example's encoders and make the ECG encoder champion."""
    kept = example()
    version = registry.register(begin(), paths.MODEL, kept, {}, "the card")[registry.ECG]
    server.connect().set_registered_model_alias(registry.ECG, aliases.CHAMPION, version)
    return kept


def champion_is(kept: registry.Example) -> bool:
    """Return True if the champion loads and gives exactly the features of its example."""
    loaded = registry.load_encoder(f"models:/{registry.ECG}@{aliases.CHAMPION}").encode(SIGNAL)
    return all(np.array_equal(loaded[name], value) for name, value in kept.features.items())
