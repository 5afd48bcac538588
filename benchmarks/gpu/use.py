"""The other uses of a device: checkpoints during training, encoding records, and the grid of linear probes."""

from functools import partial

import numpy as np

from benchmarks import probe as grid
from benchmarks.gpu.plan import Bench
from benchmarks.gpu.result import Measurement
from benchmarks.measuring import timed
from benchmarks.pretrain_setup import fetcher
from cgdmer import settings
from cgdmer.encoders.encoding import encode_rows
from cgdmer.encoders.pretrained import Pretrained
from cgdmer.probing import linear_probe
from cgdmer.probing.cohort import Cohort, Split
from cgdmer.shards import open_shards
from cgdmer.training import checkpoint
from cgdmer.training.throughput import synchronise

TASK = "ptb_xl_super"
CLASSES = 5


def stall(bench: Bench) -> list[Measurement]:
    """Measure how long training waits for a checkpoint, beside writing it synchronously."""
    engine = bench.engine(batch=8)
    engine.try_step(fetcher(engine, bench.corpus)(0))
    stalls, folder = [], bench.scratch / "background"
    with checkpoint.Writer() as writer:

        def submit(step: int) -> None:
            save = partial(checkpoint.save, folder, keep=1)
            writer.submit(engine.state(), lambda copies: save(checkpoint.Checkpoint(step, copies, {})))

        for step in range(bench.plan.checkpoints):
            synchronise(engine.device)
            stalls.append(timed(partial(submit, step))[1])
            writer.wait()
    _, plain = timed(
        lambda: checkpoint.save(bench.scratch / "at-once", checkpoint.Checkpoint(0, engine.state(), {}), keep=1)
    )
    written = sum(path.stat().st_size for path in (bench.scratch / "at-once").iterdir())
    return [
        Measurement("stall of a checkpoint", 1000 * min(stalls), "ms", 1000 * plain, "written synchronously"),
        Measurement("first stall", 1000 * stalls[0], "ms", note="allocates the copy in host memory"),
        Measurement("size of a checkpoint", written / 1e9, "GB"),
    ]


def embed(bench: Bench) -> list[Measurement]:
    """Measure the encoding of stored records in batches, beside one record at a time."""
    chosen = bench.plan.chosen()
    encoder = Pretrained("cgdmer", bench.task(chosen).model, chosen.signal)
    shards = open_shards(bench.corpus)

    def encode(rows: np.ndarray, batch: int) -> None:
        valid = np.full(len(rows), shards.samples, np.int32)
        encode_rows(encoder, shards, rows, valid, batch)

    many, few = (np.arange(count) % len(shards) for count in (bench.plan.encoded, bench.plan.encoded_singly))
    encode(many[: chosen.embed.batch], chosen.embed.batch)  # warms up
    _, ours = timed(lambda: encode(many, chosen.embed.batch))
    _, plain = timed(lambda: encode(few, 1))
    return [
        Measurement(
            "encoding", len(many) / ours, "records/s", len(few) / plain, "one record at a time",
            note=f"fp32, batch {chosen.embed.batch}",
        )
    ]  # fmt: skip


def probe(bench: Bench) -> list[Measurement]:
    """Measure the grid of linear probes of one task with the sizes of PTB-XL Super, beside scikit-learn's fits."""
    plan, chosen = bench.plan, settings.Probe()
    features: dict[str, np.ndarray] = {
        name: make_features(plan.probe_records, plan.probe_width, seed)
        for seed, name in enumerate(chosen.representations)
    }
    cohort = make_cohort(plan.probe_records, features[chosen.representations[0]])
    _, ours = timed(lambda: linear_probe.evaluate(cohort, features, chosen))
    rng, means = np.random.default_rng(0), []
    for fraction in chosen.fractions:
        cells = [
            grid.Fit(TASK, str(rng.choice(chosen.representations)), fraction, float(C), int(rng.integers(CLASSES)))
            for C in rng.choice(chosen.C, plan.probe_fits, replace=plan.probe_fits > len(chosen.C))
        ]
        means.append(float(np.mean([grid.fit(cell, cohort, features) for cell in cells])))
    counts = [grid.cells_at(fraction, {TASK: cohort}) * len(chosen.C) for fraction in chosen.fractions]
    baseline = float(np.dot(means, counts))
    return [
        Measurement(
            "grid of linear probes", ours, "s", baseline, "scikit-learn, class by class, extrapolated",
            note=f"{plan.probe_fits * len(chosen.fractions)} of {sum(counts)} fits timed",
        )
    ]  # fmt: skip


def make_features(records: tuple[int, int, int], width: int, seed: int) -> np.ndarray:
    """Return float32 (N, D) features with the decaying spectrum of an encoder's."""
    rng = np.random.default_rng(seed)
    spectrum = np.arange(1, width + 1, dtype=np.float32) ** -0.7
    return (
        rng.standard_normal((sum(records), width), np.float32)
        * spectrum
        @ np.linalg.qr(rng.normal(size=(width, width)))[0].astype(np.float32)
    )


def make_cohort(records: tuple[int, int, int], features: np.ndarray) -> Cohort:
    """Return a task whose classes follow directions of `features`, with noise; a fifth of the records has each."""
    rng = np.random.default_rng(0)
    drive = features / features.std(axis=0) @ rng.normal(size=(features.shape[1], CLASSES))
    drive = drive / drive.std(axis=0) + rng.normal(size=drive.shape)
    labels = (drive > np.quantile(drive, 0.8, axis=0)).astype(np.uint8)
    parts = np.split(np.arange(len(features)), np.cumsum(records)[:-1])
    train, val, test = (Split([str(row) for row in rows], rows, labels[rows]) for rows in parts)
    return Cohort(TASK, [f"class {number}" for number in range(CLASSES)], train, val, test, without_features=0)
