"""The whole PTB-XL grid of one published encoder, beside the conventional loop for one of its cells, in one run.

Run: python -m benchmarks.peers [--encoder NAME] [--records N] [--epochs N] [--batches N ...]

Ours: every record is decoded, brought to the canonical form and encoded once; then 4 tasks x 3 fractions x 5 seeds are
probed by `cgdmer.probing.linear_probe.evaluate`, the function of the stage, with 8 values of C and 1,000 bootstrap
replicates. Conventional: one task, all labels, one seed, as published probes do it (docs/protocols.md B.4): in every
epoch each record of each split is decoded by `wfdb.rdsamp`, brought into the network's form and encoded by the frozen
network in batches of 16, and a linear layer is updated. `--epochs` of its 100 epochs are run, and the others are
extrapolated. Weights are untrained and labels are drawn: both cost what trained weights and true labels cost.

`--batches` compares how many records a CPU encodes at once: processor time per record in user and in system mode.
Times are those of the processor, so that other work on the machine does not count; a GPU is not used.
"""

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
import wfdb
from torch.nn import functional as F

from benchmarks.decode import LEADS, recordings
from benchmarks.measuring import machine, timed
from benchmarks.probe import POSITIVES, SIZES
from cgdmer.archives import open_archive
from cgdmer.encoders import batches as cpu_batches
from cgdmer.encoders import published
from cgdmer.encoders.adapter import Adapted
from cgdmer.encoders.form import inputs
from cgdmer.probing import linear_probe, metrics
from cgdmer.probing.cohort import Cohort, Split, scorable
from cgdmer.settings import Probe, Signal
from cgdmer.signals import canonical
from cgdmer.waveforms import read_record, record_bytes

RAW = Signal(fs=500.0, seconds=10.0, low=None, high=None)
"""The canonical form that published networks read: unfiltered, at the rate of the recordings."""
TASKS = [task for task in SIZES if task.startswith("ptb_xl")]
EPOCHS, BATCH, AT_ONCE = 100, 16, 256
"""The conventional loop's epochs and batch; the default of `embed.batch`."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--encoder", default="merl_vit_tiny", choices=published.names())
    parser.add_argument("--records", type=int, default=160)
    parser.add_argument("--epochs", type=int, default=5, help="epochs of the conventional loop that are run")
    parser.add_argument("--batches", type=int, nargs="*", default=[], help="records that a CPU encodes at once")
    options = parser.parse_args()
    torch.manual_seed(0)
    card = published.card(options.encoder)
    encoder = on_cpu(Adapted(card.name, card.network(), card.form, RAW, ""))
    if options.batches:
        compare_batches(encoder, options.batches, options.records)
        return
    with tempfile.TemporaryDirectory() as scratch:
        origin = write_records(Path(scratch), options.records)
        features, embedding = timed(lambda: embed(encoder, Path(scratch), options.records), time.process_time)
        cohorts = [make_cohort(task, options.records) for task in TASKS]
        settings = Probe(representations=["pooled"])
        evaluate = partial(linear_probe.evaluate, features={"pooled": features}, probe=settings)
        _, probing = timed(lambda: [evaluate(one) for one in cohorts], time.process_time)
        _, loop = timed(lambda: conventional(encoder, Path(scratch), cohorts[0], options.epochs), time.process_time)
    ours, baseline = embedding + probing, loop * EPOCHS / options.epochs
    print(
        json.dumps(
            {
                "name": "peers",
                "ratio": round(baseline / ours, 1),
                "ours": round(ours, 1),
                "baseline": round(baseline, 1),
                "unit": "s of processor time",
                "machine": machine(),
                "encoder": card.name,
                "records": f"{options.records} of 12 x 5,000 samples, {origin}",
                "ours_is": f"{len(TASKS)} tasks x {len(settings.fractions)} fractions x {settings.seeds} seeds",
                "embedding": round(embedding, 1),
                "probing": round(probing, 1),
                "baseline_is": f"{TASKS[0]}, all labels, one seed, {EPOCHS} epochs",
                "baseline_timed": {"epochs": options.epochs, "s": round(loop, 1)},
            }
        )
    )


def on_cpu(encoder: Adapted) -> Adapted:
    """Move an encoder to the CPU, because processor time says nothing about a GPU."""
    encoder.network, encoder.device = encoder.network.cpu(), torch.device("cpu")
    return encoder


def write_records(folder: Path, count: int) -> str:
    """Write WFDB records, the same few repeated under new names; return where their signals come from."""
    digital, origin = recordings()
    for number in range(count):
        for name, content in record_bytes(f"{number:05d}", digital[number % len(digital)], 500, LEADS).items():
            (folder / name).write_bytes(content)
    return origin


def embed(encoder: Adapted, folder: Path, count: int) -> np.ndarray:
    """Decode and encode every record once, as the stages do: float32 (count, D)."""
    archive, chunks = open_archive(folder), []
    for start in range(0, count, AT_ONCE):
        records = [read_record(archive, f"{number:05d}.hea") for number in range(start, min(start + AT_ONCE, count))]
        rows = [canonical(record.signal, record.fs, record.leads, RAW, RAW.seconds) for record in records]
        signal = np.stack([row.signal for row in rows]).astype(np.float32) / 1000
        chunks.append(encoder.encode(signal, valid=np.array([row.valid for row in rows]))["pooled"])
    return np.concatenate(chunks)


def make_cohort(task: str, count: int) -> Cohort:
    """Return a task with the classes of the published one and drawn labels: 80 % train, 10 % val, 10 % test."""
    rng = np.random.default_rng(len(task))
    share = np.maximum(np.array(POSITIVES[task].split(), dtype=int) / SIZES[task][0], 0.05)
    labels = (rng.random((count, len(share))) < share).astype(np.uint8)
    bounds = [count * 8 // 10, count * 9 // 10]
    rows = np.split(rng.permutation(count), bounds)
    train, val, test = (Split([f"{row}" for row in part], part, labels[part]) for part in rows)
    return Cohort(task, [f"class {c}" for c in range(len(share))], train, val, test, without_features=0)


def conventional(encoder: Adapted, folder: Path, cohort: Cohort, epochs: int) -> None:
    """Train a linear layer on a frozen network that encodes every record again in every epoch."""
    layer = torch.nn.Linear(encoder.form.width, len(cohort.classes))
    optimiser = torch.optim.Adam(layer.parameters(), lr=1e-3)
    for _ in range(epochs):
        for features, labels in batches(encoder, folder, cohort.train):
            loss = F.binary_cross_entropy_with_logits(layer(features), labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        for split in (cohort.val, cohort.test):
            scores = [layer(features).detach().numpy() for features, _ in batches(encoder, folder, split)]
            scored = scorable(split.labels)
            metrics.auroc(np.concatenate(scores)[:, scored], split.labels[:, scored])


def batches(encoder: Adapted, folder: Path, split: Split) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Decode and encode a split in batches: features (16, D) and labels (16, C)."""
    for start in range(0, len(split.rows), BATCH):
        rows = split.rows[start : start + BATCH]
        signal = np.stack([wfdb.rdsamp(str(folder / f"{row:05d}"))[0].T for row in rows])
        labels = torch.from_numpy(split.labels[start : start + BATCH]).float()
        yield forward(encoder, signal), labels


@torch.no_grad()
def forward(encoder: Adapted, signal: np.ndarray) -> torch.Tensor:
    """Run the network on a batch of records (B, 12, T) at once."""
    batch = inputs(encoder.form, signal, RAW.fs, np.full(len(signal), signal.shape[2]))
    rows = encoder.network(*(torch.from_numpy(array) for array in batch.arrays))
    return torch.from_numpy(batch.averaged(rows.numpy()))


def compare_batches(encoder: Adapted, sizes: list[int], count: int) -> None:
    """Print the processor time per record, in user and in system mode, for several sizes of a CPU's batch."""
    signal = np.random.default_rng(0).normal(size=(count, 12, RAW.samples)).astype(np.float32)
    encoder.encode(signal[:2])
    for size in sizes:
        cpu_batches.CPU_BATCH = size
        before = resource.getrusage(resource.RUSAGE_SELF)
        encoder.encode(signal)
        after = resource.getrusage(resource.RUSAGE_SELF)
        user, system = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
        print(
            f"{encoder.name}, {size:4} at once: {1000 * user / count:6.1f} ms of user and {1000 * system / count:6.1f} "
            f"ms of system time per record; peak memory so far {after.ru_maxrss / 2**20:.1f} GiB"
        )


if __name__ == "__main__":
    main()
