"""Attentive-pooling probes of one encoder: its tokens once, then both poolings at every label fraction and seed."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from cgdmer.attentive.results import ATTENTIVE, MEAN, AttentiveCell, AttentiveResult
from cgdmer.attentive.token_file import TokenFile, write
from cgdmer.attentive.tokens import tokens_of
from cgdmer.attentive.training import Chosen, Standard, Tokens, train
from cgdmer.distributed import threads
from cgdmer.encoders import Encoder
from cgdmer.encoders.chunks import assigned
from cgdmer.probing import bootstrap, linear_probe, subsets
from cgdmer.probing.cohort import Cohort, scorable
from cgdmer.results import Interval, ProbeCell
from cgdmer.settings import Attentive
from cgdmer.shards import Shards

log = logging.getLogger(__name__)


def store_tokens(encoder: Encoder, shards: Shards, batch: int, path: Path) -> tuple[list[str], TokenFile]:
    """Encode all records that belong to a split, `batch` at a time; return their ids and their tokens, in order."""
    records = assigned(shards)

    def encoded() -> Iterator[Sequence[np.ndarray]]:
        for chunk in records.iter_slices(batch):
            signal = shards.gather(chunk["row"].to_numpy().astype(np.int64)).astype(np.float32) / 1000  # uV to mV
            yield tokens_of(encoder, signal, chunk["valid"].to_numpy())

    return records["id"].to_list(), write(path, encoded())


def evaluate(cohort: Cohort, file: TokenFile, encoder: Encoder, attentive: Attentive) -> AttentiveResult:
    """Probe one task; the rows of the cohort number the records of the file."""
    counts = bootstrap.draws(len(cohort.test.ids), attentive.bootstrap)
    device = getattr(encoder, "device", torch.device("cpu"))
    result = AttentiveResult(encoder.name, encoder.digest, file.width, int(file.counts.max()))
    for fraction in attentive.fractions:
        with threads(1):
            seeds = [run_seed(cohort, file, device, fraction, seed, attentive) for seed in range(attentive.seeds)]
        cell = summarise(cohort, seeds, fraction, counts, attentive)
        result.fractions[str(fraction)] = cell
        log.info(
            "%s %s at %g: attentive %.4f, mean %.4f",
            *(cohort.task, encoder.name, fraction, cell.attentive.mean, cell.mean.mean),
        )
    return result


Seed = tuple[np.ndarray, dict[str, Chosen]]
"""The training rows of one seed, positions in the training split, and the chosen probe of each pooling."""


def run_seed(
    cohort: Cohort, file: TokenFile, device: torch.device, fraction: float, seed: int, attentive: Attentive
) -> Seed:
    """Train both poolings on one training subset, which is that of the linear probe.

    A class whose training labels are all equal is left out of the training and scored 0 for every record.
    """
    rows = subsets.nested(cohort.train.ids, fraction, seed)
    labels = cohort.train.labels[rows]
    trainable = scorable(labels)  # (C,)
    splits = cohort.val, cohort.test
    if not trainable.any():
        val, test = (np.zeros((len(split.ids), len(trainable)), np.float32) for split in splits)
        return rows, dict.fromkeys((ATTENTIVE, MEAN), Chosen(0, attentive.weight_decay[0], val, test))
    train_rows = cohort.train.rows[rows]
    tokens = Tokens(file, Standard.of(file.means(train_rows)), device)
    val_labels = cohort.val.labels[:, trainable]
    chosen = train(
        tokens, train_rows, labels[:, trainable], (cohort.val.rows, val_labels), cohort.test.rows, attentive, seed
    )

    def all_classes(logits: np.ndarray) -> np.ndarray:
        full = np.zeros((len(logits), len(trainable)), np.float32)
        full[:, trainable] = logits
        return full

    return rows, {
        name: replace(one, val=all_classes(one.val), test=all_classes(one.test)) for name, one in chosen.items()
    }


def summarise(
    cohort: Cohort, seeds: list[Seed], fraction: float, counts: np.ndarray, attentive: Attentive
) -> AttentiveCell:
    """Return scores, intervals and the paired difference of the two poolings at one label fraction."""
    cells: dict[str, ProbeCell] = {}
    points, replicated = {}, {}
    for name in (ATTENTIVE, MEAN):
        runs = [
            linear_probe.Run(seed, rows, None, chosen[name].val, chosen[name].test)
            for seed, (rows, chosen) in enumerate(seeds)
        ]
        scores = linear_probe.score(cohort, runs, counts)
        points[name], replicated[name] = scores.points.mean(), bootstrap.macro(scores.replicated)  # (), (S, B)
        cells[name] = replace(
            linear_probe.summarise(cohort, runs, counts, list(range(attentive.seeds)), scores),
            C=None, epoch=[chosen[name].epoch for _, chosen in seeds],
            distinct_subsets=len(runs) if fraction < 1 else 1,
        )  # fmt: skip
    gaps: np.ndarray = replicated[ATTENTIVE] - replicated[MEAN]
    difference: Interval = bootstrap.interval(points[ATTENTIVE] - points[MEAN], bootstrap.over_seeds(gaps))
    decays = {name: [chosen[name].weight_decay for _, chosen in seeds] for name in (ATTENTIVE, MEAN)}
    return AttentiveCell(cells[ATTENTIVE], cells[MEAN], difference.rounded(), decays)
