"""Stage probe: cached features of one encoder + labels -> AUROC with intervals and saved predictions, task by task."""

from typing import Any

import polars as pl

from cgdmer import embeddings, paths, protocol, settings, tables
from cgdmer.errors import DataError
from cgdmer.evaluation import compatibility
from cgdmer.evaluation import probe as canonical
from cgdmer.evaluation.cohort import check_finite, cohort, tasks_of
from cgdmer.files import read_json, write_json


def probe(encoder: str, source: str, *, probe: settings.Probe) -> None:
    """Probe every task of a source; DataError for features of other records, NaN features or a one-class test set."""
    canonical.check_protocol(probe.protocol)
    found = embeddings.read(paths.embeddings(encoder, source))
    wanted: dict[str, Any] = {name: found.features[name] for name in probe.representations if name in found.features}
    if not wanted:
        raise DataError(
            f"encoder {encoder} has none of the representations {', '.join(probe.representations)}",
            allowed=", ".join(sorted(found.features)),
            mend="edit probe.representations in params.yaml",
        )
    for name, matrix in wanted.items():
        check_finite(matrix, found.ids, name, source)
    index = tables.read(paths.index(source))
    split = read_json(paths.index_facts(source))["split"]
    for task in tasks_of(source):
        result, predictions = _evaluate(task, index, found.ids, wanted, probe)
        tables.write(predictions, paths.predictions(encoder, task))
        write_json(paths.probe(encoder, task), {"encoder": encoder, "split": split["kind"], **result})


def _evaluate(
    task: str, index: pl.DataFrame, ids: list[str], features: dict[str, Any], probe: settings.Probe
) -> tuple[dict[str, Any], pl.DataFrame]:
    """Join and run the protocol that the settings name."""
    joined = cohort(task, index, ids)
    if probe.protocol == "canonical":
        return canonical.evaluate(joined, features, probe)
    published = protocol.split_table(paths.PROTOCOL, task) if protocol.available(paths.PROTOCOL) else None
    return compatibility.evaluate(joined, features, probe, published)
