"""Stage probe: cached features of one encoder + labels -> AUROC with intervals and saved predictions, task by task."""

from typing import Any

import polars as pl

from cgdmer import embeddings, paths, protocol, settings, tables
from cgdmer.errors import DataError
from cgdmer.files import read_json, write_json
from cgdmer.probing import compatibility, linear_probe_io
from cgdmer.probing import linear_probe as canonical
from cgdmer.probing.cohort import check_finite, cohort, tasks_of


def probe(encoder: str, source: str, *, probe: settings.Probe) -> None:
    """Probe every task of a source; DataError for features of other records, NaN features or a one-class test set."""
    canonical.check_protocol(probe.protocol)
    found = embeddings.read(paths.embeddings(encoder, source))
    wanted: dict[str, Any] = {name: found.features[name] for name in probe.representations if name in found.features}
    if not wanted:
        raise DataError(
            f"encoder {encoder} has none of the representations {', '.join(probe.representations)}",
            allowed=", ".join(sorted(found.features)),
            fix="edit probe.representations in params.yaml",
        )
    for name, matrix in wanted.items():
        check_finite(matrix, found.ids, name, source)
    index = tables.read(paths.index(source))
    split = read_json(paths.index_facts(source))["split"]
    for task in tasks_of(source):
        layers: dict[str, linear_probe_io.Layer] = {}
        result, predictions = _evaluate(task, index, found.ids, wanted, probe, layers)
        if layers:
            fitted = linear_probe_io.Heads(
                task, result["classes"], encoder, found.meta.get("encoder_digest", ""), layers
            )
            linear_probe_io.save(paths.fitted_probe(encoder, task), fitted)
        tables.write(predictions, paths.predictions(encoder, task))
        write_json(paths.probe(encoder, task), {"encoder": encoder, "split": split["kind"], **result})


def _evaluate(
    task: str, index: pl.DataFrame, ids: list[str], features: dict[str, Any], probe: settings.Probe,
    layers: dict[str, linear_probe_io.Layer],
) -> tuple[dict[str, Any], pl.DataFrame]:  # fmt: skip
    """Join and run the protocol that the settings name; the canonical one leaves its layers in `layers`."""
    joined = cohort(task, index, ids)
    if probe.protocol == "canonical":

        def keep(fraction: float, representation: str, run: canonical.Run) -> None:
            if fraction == max(probe.fractions) and run.layer:
                layers[representation] = linear_probe_io.Layer(*run.layer)

        return canonical.evaluate(joined, features, probe, keep)
    published = protocol.split_table(paths.PROTOCOL, task) if protocol.available(paths.PROTOCOL) else None
    return compatibility.evaluate(joined, features, probe, published)
