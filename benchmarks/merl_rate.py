"""What MERL's learning rate does to a probe: its loop as published, with standardised features, and without the fall.

Run: python -m benchmarks.merl_rate [--tasks TASK ...] [--encoders NAME ...]     (after `make demo`, from its root)

Its scheduler is meant for epochs and stepped at every update, so the rate falls tenfold after 40 steps
(docs/protocols.md B.1). All columns train on the same records, MERL's draw, and score the epoch (or the C) that is best
on validation. `resnet18` is a ResNet18 of MERL's shape and input that was never trained, its features in eval mode.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from cgdmer import embeddings, paths, settings, tables
from cgdmer.encoders import merl_resnet18
from cgdmer.encoders.adapter import Adapted
from cgdmer.encoders.chunks import assigned
from cgdmer.probing import compatibility, linear_probe, logistic, metrics
from cgdmer.probing.cohort import Cohort, cohort, scorable, source_of
from cgdmer.shards import open_shards

PUBLISHED = compatibility.PROTOCOLS["merl"]
CONSTANT = replace(PUBLISHED, rate=lambda update, epoch, steps: 1e-3)
FRACTIONS = (0.01, 0.1, 1.0)
UNTRAINED = "resnet18"
COLUMNS = ("encoder", "task", "labels", "records", "updates", "at 1e-3", "as published", "standardised",
           "constant rate", "both", "canonical")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", nargs="+", default=["ptb_xl_super"])
    parser.add_argument("--encoders", nargs="+", default=["cgdmer", "random", "handcrafted", UNTRAINED])
    options = parser.parse_args()
    print("|", " | ".join(COLUMNS), "|")
    print("|", " | ".join("---" for _ in COLUMNS), "|")
    for encoder in options.encoders:
        for task in options.tasks:
            for row in rows(encoder, task):
                print("|", " | ".join(row), "|", flush=True)


def rows(encoder: str, task: str) -> Iterator[list[str]]:
    """Yield one row per fraction of the labels."""
    ids, features = untrained(task) if encoder == UNTRAINED else stored(encoder, task)
    joined = cohort(task, tables.read(paths.index(source_of(task))), ids)
    for fraction in FRACTIONS:
        drawn = PUBLISHED.subset(len(joined.train.ids), fraction)
        subset = features[joined.train.rows[drawn]]
        scaled = (features - subset.mean(0)) / np.maximum(subset.std(0), 1e-8)
        batches = -(-len(drawn) // PUBLISHED.batch)
        fast = sum(step + step // batches < 40 for step in range(batches * compatibility.EPOCHS))
        scores = [
            loop(protocol, joined, matrix, drawn) for protocol in (PUBLISHED, CONSTANT) for matrix in (features, scaled)
        ]
        counted = [f"{len(drawn):,}", f"{batches * compatibility.EPOCHS:,}", f"{fast}"]
        values = [*scores, canonical(joined, features, drawn)]
        yield [encoder, task, f"{fraction:.0%}", *counted, *(f"{value:.3f}" for value in values)]


def loop(protocol: compatibility.Protocol, joined: Cohort, features: np.ndarray, drawn: np.ndarray) -> float:
    """Return the macro AUROC on test of MERL's loop, at the epoch that is best on validation."""
    run = compatibility.train(protocol, joined, features.astype(np.float32), drawn).chosen(drawn, joined.val.labels)
    return score(run.test, joined.test.labels)


def canonical(joined: Cohort, features: np.ndarray, drawn: np.ndarray) -> float:
    """Return the macro AUROC on test of the canonical probe, trained on the same records."""
    candidates = settings.Probe().C
    train, val, test = (features[split.rows] for split in (joined.train, joined.val, joined.test))
    path = logistic.fit(logistic.principal_axes(train[drawn]), joined.train.labels[drawn], candidates)
    best = linear_probe.choose([path.decision(val, c) for c in range(len(candidates))], joined.val.labels)
    return score(path.decision(test, best), joined.test.labels)


def score(scores: np.ndarray, labels: np.ndarray) -> float:
    scored = scorable(labels)
    return metrics.macro(metrics.auroc(scores[:, scored], labels[:, scored]))


def stored(encoder: str, task: str) -> tuple[list[str], np.ndarray]:
    """Return the ids and pooled features (N, D) that stage embed wrote."""
    cached = embeddings.read(paths.embeddings(encoder, source_of(task)))
    return list(cached.ids), np.asarray(cached.features["pooled"])


def untrained(task: str) -> tuple[list[str], np.ndarray]:
    """Return ids and features (N, 512) of the records of a task that have a split, from an untrained ResNet18."""
    shards = open_shards(paths.shards(source_of(task)))
    table = assigned(shards)
    torch.manual_seed(0)
    form = settings.Signal(fs=shards.fs, seconds=shards.samples / shards.fs)
    encoder = Adapted(UNTRAINED, merl_resnet18.network(), merl_resnet18.FORM, form, "")
    chunks = []
    for part in table.iter_slices(32):
        signal = shards.gather(part["row"].to_numpy()).astype(np.float32) / 1000  # microvolt to mV
        chunks.append(encoder.encode(signal, valid=part["valid"].to_numpy())["pooled"])
    return table["id"].to_list(), np.concatenate(chunks)


if __name__ == "__main__":
    main()
