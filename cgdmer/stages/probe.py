"""Stage probe: cached features of one encoder + labels -> AUROC with intervals and saved predictions, per task."""

from dataclasses import replace

import numpy as np
import polars as pl

from cgdmer import embeddings, paths, protocol, settings, tables
from cgdmer.errors import DataError
from cgdmer.files import read_json, write_json
from cgdmer.probing import compatibility, linear_probe_io, weight_sets
from cgdmer.probing import linear_probe as canonical
from cgdmer.probing.cohort import check_finite, cohort, tasks_of
from cgdmer.results import ProbeResult

Features = dict[str, np.ndarray]
"""Features (N, D) of one set of weights, by representation."""


def probe(encoder: str, source: str, *, probe: settings.Probe) -> None:
    """Probe every task of a source; DataError for features of other records, NaN features or a one-class test set."""
    canonical.check_protocol(probe.protocol)
    cached = embeddings.read(paths.embeddings(encoder, source))
    sets = [_features(encoder, source, probe, weights) for weights in range(cached.meta.get("sets_of_weights", 1))]
    index = tables.read(paths.index(source))
    split = read_json(paths.index_facts(source))["split"]
    for task in tasks_of(source):
        layers: dict[str, linear_probe_io.FittedLayer] = {}
        result, predictions = _evaluate(task, index, cached.ids, sets, probe, layers)
        if layers:
            fitted = linear_probe_io.FittedProbe(
                task, result.classes, encoder, cached.meta.get("encoder_digest", ""), layers
            )
            linear_probe_io.save(paths.fitted_probe(encoder, task), fitted)
        tables.write(predictions, paths.predictions(encoder, task))
        write_json(paths.probe(encoder, task), replace(result, encoder=encoder, split=split["kind"]).to_json())


def _features(encoder: str, source: str, probe: settings.Probe, weights: int) -> Features:
    """Read the features of one set of weights; DataError for an encoder without any of the representations."""
    cached = embeddings.read(paths.embeddings(encoder, source, weights))
    features: Features = {n: cached.features[n] for n in probe.representations if n in cached.features}
    if not features:
        raise DataError(
            f"encoder {encoder} has none of the representations {', '.join(probe.representations)}",
            allowed=", ".join(sorted(cached.features)),
            fix="edit probe.representations in params.yaml",
        )
    for name, matrix in features.items():
        check_finite(matrix, cached.ids, name, source)
    return features


def _evaluate(
    task: str, index: pl.DataFrame, ids: list[str], sets: list[Features], probe: settings.Probe,
    layers: dict[str, linear_probe_io.FittedLayer],
) -> tuple[ProbeResult, pl.DataFrame]:  # fmt: skip
    """Run the protocol of the settings on one task; the canonical protocol adds its fitted layers to `layers`.

    No layers are kept of several sets of weights, and a published protocol probes only the first.
    """
    joined = cohort(task, index, ids)
    if probe.protocol != "canonical":
        published = protocol.split_table(paths.PROTOCOL, task) if protocol.available(paths.PROTOCOL) else None
        return compatibility.evaluate(joined, sets[0], probe, published)
    if len(sets) > 1:
        return weight_sets.evaluate(joined, sets, probe)

    def keep(fraction: float, representation: str, run: canonical.Run) -> None:
        if fraction == max(probe.fractions) and run.layer:
            layers[representation] = linear_probe_io.FittedLayer(*run.layer)

    return canonical.evaluate(joined, sets[0], probe, keep)
