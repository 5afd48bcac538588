"""Stage measurements: cached features -> what each encoder knows about intervals, axes, age and sex."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from cgdmer import embeddings, paths, settings, tables
from cgdmer.evaluation import measurements as evaluation
from cgdmer.evaluation import simulated_truth
from cgdmer.evaluation.intervals import MEASUREMENTS, MeasurementResult
from cgdmer.files import read_json, write_json
from cgdmer.settings import Corpus
from cgdmer.settings.data import Source

Truths = Mapping[str, tuple[pl.DataFrame, str]]
"""By corpus: id, patient, split and the measurements of its records, and where these come from."""

SIMULATOR, METADATA = "simulator", "metadata"


def measurements(*, corpora: dict[Source, Corpus], matrix: settings.Matrix, probe: settings.Probe) -> None:
    """Fit ridge probes on the training split of all benchmark corpora together and score them on the test split.

    Of simulated corpora all measurements are known, of real ones age and sex. DataError if the encoders were run on
    different records.
    """
    truths: dict[str, tuple[pl.DataFrame, str]] = {source: truth(source, corpora) for source in matrix.benchmarks}
    encoders = {encoder: features(encoder, truths) for encoder in matrix.probed}
    table = pl.concat([frame for frame, _ in truths.values()], how="diagonal")
    values = {
        name: table[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
        for name in MEASUREMENTS
        if name in table.columns
    }
    records = evaluation.Records(values, table["patient"].to_list())
    part = evaluation.Part(*(np.flatnonzero((table["split"] == split).to_numpy()) for split in tables.SPLITS))
    result = MeasurementResult(
        measurements=evaluation.measure(records, encoders, [part], probe.bootstrap),
        sources={source: origin for source, (_, origin) in truths.items()},
        bootstrap=probe.bootstrap,
    )
    write_json(paths.measurements(), result.to_json())


def truth(source: str, corpora: dict[Source, Corpus]) -> tuple[pl.DataFrame, str]:
    """Return what is known of the records of a corpus that belong to a split, and where it comes from."""
    index = tables.read(paths.index(source), columns=["id", "patient", "split", "age", "sex"])
    index = index.filter(pl.col("split") != tables.UNASSIGNED)
    index = index.with_columns(patient=pl.lit(f"{source}/") + pl.col("patient"))
    simulated = read_json(paths.raw(source) / "manifest.json")["way"] == "simulate"
    if simulated and source in simulated_truth.SOURCES:
        corpus = next(corpus for name, corpus in corpora.items() if name == source)
        known = simulated_truth.truth(source, corpus, index)
        return index.select("id", "patient", "split").join(known, on="id", maintain_order="left"), SIMULATOR
    male = (pl.col("sex") == "male").cast(pl.Float64)
    return index.select("id", "patient", "split", "age", male=male), METADATA


def features(encoder: str, truths: Truths) -> list[dict[str, np.ndarray]]:
    """Return the features (N, D) by representation, all corpora one after another, of each set of weights.

    Of several sets of weights, which only controls have, only `pooled` is taken.
    """
    first = embeddings.read(paths.embeddings(encoder, next(iter(truths))))
    sets = first.meta.get("sets_of_weights", 1)
    names: list[str] = [name for name in ("pooled", "shared", "specific") if name in first.features]
    return [_features(encoder, truths, weights, names[: 1 if sets > 1 else None]) for weights in range(sets)]


def _features(encoder: str, truths: Truths, weights: int, names: list[str]) -> dict[str, np.ndarray]:
    by_source = []
    for source, (frame, _) in truths.items():
        cached = embeddings.read(paths.embeddings(encoder, source, weights))
        rows = cached.rows_of(frame["id"].to_list())
        by_source.append({name: cached.features[name][rows] for name in names})
    return {name: np.concatenate([each[name] for each in by_source]) for name in names}
