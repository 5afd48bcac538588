"""Stage robustness: one encoder with fewer leads and on disturbed test records -> AUROC with intervals."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import polars as pl

from cgdmer import embeddings, paths, settings, tables
from cgdmer.encoders import Encoder, Setup, load
from cgdmer.errors import DataError
from cgdmer.evaluation import robustness as probes
from cgdmer.evaluation.disturbances import disturb, name_of
from cgdmer.files import write_json
from cgdmer.probing.cohort import check_finite, cohort, tasks_of
from cgdmer.shards import open_shards
from cgdmer.signals.leads import LEADS, LIMB

Change = Callable[[np.ndarray, np.ndarray, list[str]], np.ndarray]
"""Signals (B, 12, T) in mV, valid samples (B,) and ids to the signals that are encoded."""


def robustness(
    encoder: str, source: str, *, robustness: settings.Robustness, embed: settings.Embed, model: settings.Model,
    probe: settings.Probe, signal: settings.Signal,
) -> None:  # fmt: skip
    """Probe every task of a source; the twelve clean leads come from the cached features, the rest is encoded here."""
    found = embeddings.read(paths.embeddings(encoder, source))
    if robustness.representation not in found.features:
        raise DataError(
            f"encoder {encoder} has no representation '{robustness.representation}'",
            allowed=", ".join(sorted(found.features)),
            fix="edit robustness.representation in params.yaml",
        )
    clean = found.features[robustness.representation]
    check_finite(clean, found.ids, robustness.representation, source)
    given = Records(
        load(encoder, Setup(signal, model, embed.seed, outside=embed.outside)), source, found.ids, embed.batch
    )
    by_leads = {probes.CLEAN: np.asarray(clean)}
    for leads in robustness.lead_sets:
        by_leads[lead_name(leads)] = given.encode(robustness.representation, leads, partial(choose, leads=leads))
    disturbed = {}
    for each in robustness.disturbances:
        change = partial(disturb, disturbance=each, form=signal, seed=robustness.seed)
        disturbed[name_of(each)] = given.encode(robustness.representation, None, change, split="test")
    index = tables.read(paths.index(source))
    for task in tasks_of(source):
        result, predictions = probes.evaluate(cohort(task, index, found.ids), by_leads, disturbed, probe)
        tables.write(predictions, paths.robustness_predictions(encoder, task))
        told = {"encoder": encoder, "representation": robustness.representation, **result}
        write_json(paths.robustness(encoder, task), told)


def choose(signal: np.ndarray, valid: np.ndarray, ids: Sequence[str], leads: Sequence[str]) -> np.ndarray:
    """Return only the named leads."""
    return signal[:, [LEADS.index(name) for name in leads]]


def lead_name(leads: Sequence[str]) -> str:
    """Name a lead set by its size and its leads, all six limb leads as such."""
    words = "limb" if sorted(leads) == sorted(LEADS[:LIMB]) else ", ".join(leads)
    return f"{len(leads)} lead{'' if len(leads) == 1 else 's'} ({words})"


class Records:
    """The signals of embedded records, in the order of the embedding file."""

    def __init__(self, encoder: Encoder, source: str, ids: list[str], batch: int) -> None:
        self.encoder, self.shards, self.batch = encoder, open_shards(paths.shards(source), verify=True), batch
        rows = self.shards.columns("id", "valid", "split").with_row_index("row")
        self.table = pl.DataFrame({"id": ids}).join(rows, on="id", how="left", maintain_order="left")
        if self.table["row"].null_count():
            raise DataError(
                f"{self.table['row'].null_count()} embedded records of {source} are not in its shards",
                fix=f"dvc repro --force embed@{encoder.name}-{source}",
            )

    def encode(self, kind: str, leads: Sequence[str] | None, change: Change, split: str | None = None) -> np.ndarray:
        """Return features (N, D) of changed signals; rows outside `split` stay zero, which takes no memory."""
        features = np.zeros((self.table.height, self.encoder.dims[kind]), np.float32)
        wanted = np.flatnonzero(self.table["split"] == split) if split else np.arange(self.table.height)
        for begin in range(0, len(wanted), self.batch):
            part = wanted[begin : begin + self.batch]
            table = self.table[part]
            valid = table["valid"].to_numpy()
            signal = self.shards.gather(table["row"].to_numpy().astype(np.int64)).astype(np.float32) / 1000
            changed = change(signal, valid, table["id"].to_list())
            features[part] = self.encoder.encode(changed, leads=leads, valid=valid)[kind]
        return features
