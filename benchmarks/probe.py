"""The whole grid of linear probes beside scikit-learn class by class, and beside re-running the encoder every epoch.

Run: python -m benchmarks.probe [--tasks TASK ...] [--cells N] [--pooled 1536]

The grid: 51,702 synthetic records x 768 features x 3 representations (at paper scale `pooled`, which is the two others
side by side, has 1,536: `--pooled 1536`), six tasks with the published split sizes and
class counts (docs/protocols.md A.3.2 to A.5), 1, 10 and 100 % of the labels, 5 seeds, 8 values of C, test scores with
1,000 bootstrap replicates, all by `cgdmer.probing.linear_probe.evaluate`, the function of the stage.

`ratio`: scikit-learn's LogisticRegression, one class, C and subset at a time, with its default solver and
tolerance, timed between our tasks on cells drawn at random from every fraction and C and scaled to the number of
cells; it neither scores nor resamples. `ratio_conventional`: 100 epochs of decoding with `wfdb.rdsamp` and a frozen
ViT-tiny forward on every training, validation and test record (docs/protocols.md B.4), at the cost per record measured
here; ours is the grid plus decoding and encoding every record once at the same cost. The conventional estimate counts
one representation, one C and one seed at 100 % only.
"""

import argparse
import json
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import wfdb
from sklearn.linear_model import LogisticRegression

from benchmarks.measuring import machine
from cgdmer.probing import linear_probe, subsets
from cgdmer.probing.cohort import Cohort, Split, scorable
from cgdmer.settings import Probe
from cgdmer.waveforms import record_bytes

WIDTH, EPOCHS, BATCH = 768, 100, 16
SETTINGS = Probe()
RECORDS = {"ptb_xl": 21799, "cpsc2018": 6877, "csn": 23026}
SIZES = {
    "ptb_xl_super": (17084, 2146, 2158),
    "ptb_xl_sub": (17084, 2146, 2158),
    "ptb_xl_form": (7197, 901, 880),
    "ptb_xl_rhythm": (16832, 2100, 2098),
    "cpsc2018": (4950, 551, 1376),
    "csn": (16546, 1860, 4620),
}
"""Records of train, val and test."""
POSITIVES = {
    "ptb_xl_super": "2119 7596 4379 3907 4186",
    "ptb_xl_sub": "2466 1437 1708 1792 2618 24 432 64 341 7596 658 79 1019 161 318 756 615 428 62 894 13 102 630",
    "ptb_xl_form": "318 145 49 807 272 438 701 1461 28 350 2683 94 8 340 22 615 915 235 145",
    "ptb_xl_rhythm": "128 66 661 618 509 16 1211 13404 21 19 59 237",
    "cpsc2018": "873 501 649 504 1359 170 442 172 644",
    "csn": "433 45 5154 34 31 115 665 365 610 2075 295 174 806 97 641 497 13 20 87 141 3383 662 137 143 15 434 394 510 "
    "307 36 992 3288 73 180 20 83 4553 17",
}
"""Positive training records of each class."""


@dataclass(frozen=True)
class Fit:
    """One fit of the conventional grid."""

    task: str
    representation: str
    fraction: float
    C: float
    label: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", nargs="+", default=list(SIZES), choices=list(SIZES))
    parser.add_argument("--cells", type=int, default=3, help="scikit-learn fits for each fraction and C; 0 for none")
    parser.add_argument("--pooled", type=int, default=WIDTH, choices=[WIDTH, 2 * WIDTH], help="width of `pooled`")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", module="sklearn")  # it stops at 1,000 iterations, which is to its advantage
    with tempfile.TemporaryDirectory() as folder:
        measure(options, saved_features(options.pooled, Path(folder)))


def measure(options: argparse.Namespace, features: dict[str, np.ndarray]) -> None:
    """Time the grid and the two others, and print one line of JSON."""
    cohorts = {task: make_cohort(task, features["shared"]) for task in options.tasks}
    cells = np.array_split(np.array(draw_cells(cohorts, options.cells), dtype=object), len(cohorts))
    ours, seconds = 0.0, {}
    timed: dict[tuple[float, float], list[float]] = {}
    for (task, cohort), share in zip(cohorts.items(), cells, strict=True):
        start = time.perf_counter()
        result, _ = linear_probe.evaluate(cohort, features, SETTINGS)
        seconds[task] = time.perf_counter() - start
        ours += seconds[task]
        print(f"{task:>14}: {seconds[task]:6.1f} s, macro AUROC {result.results['1.0']['shared'].mean:.4f} at 100 %")
        for cell in share:
            timed.setdefault((cell.fraction, cell.C), []).append(fit(cell, cohorts[cell.task], features))
    baseline = scale_up(timed, cohorts) if timed else float("nan")
    record = per_record()
    forwards = conventional_forwards(options.tasks)
    records = sum(RECORDS[name] for name in RECORDS if any(task.startswith(name) for task in options.tasks))
    print(
        json.dumps(
            {
                "name": "probe",
                "ratio": round(baseline / ours, 1),
                "ratio_conventional": round(forwards * record / (ours + records * record), 1),
                "ours": round(ours, 1),
                "baseline": round(baseline, 1),
                "unit": "s",
                "machine": machine(),
                "records": records,
                "pooled": options.pooled,
                "tasks": {task: round(value, 1) for task, value in seconds.items()},
                "baseline_is": "extrapolated from the timed fits, by fraction and C",
                "baseline_fits": {"all": count_fits(cohorts), "timed": sum(map(len, timed.values()))},
                "baseline_timed_s": round(sum(map(sum, timed.values())), 1),
                "conventional_is": "extrapolated from the cost of a record, timed on 160",
                "conventional": round(forwards * record),
                "conventional_forwards": forwards,
                "embedded_once": round(records * record, 1),
                "seconds_per_record": round(record, 5),
            }
        )
    )


def saved_features(pooled: int, folder: Path) -> dict[str, np.ndarray]:
    """Return the features (51,702, D) of each representation, mapped from a file each, as the stage reads them."""
    names: list[str] = [*SETTINGS.representations]
    features = {name: make_features(seed) for seed, name in enumerate(names)}
    if pooled > WIDTH:
        features["pooled"] = np.concatenate([features["shared"], features["specific"]], axis=1)
    for name, matrix in features.items():
        np.save(folder / f"{name}.npy", matrix)
    return {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in names}


def make_features(seed: int) -> np.ndarray:
    """Return float32 (51,702, 768) features with the decaying spectrum of an encoder's, each axis of another scale."""
    rng = np.random.default_rng(seed)
    spectrum = np.arange(1, WIDTH + 1, dtype=np.float32) ** -0.7
    turn = np.linalg.qr(rng.normal(size=(WIDTH, WIDTH)))[0].astype(np.float32)
    latent = rng.standard_normal((sum(RECORDS.values()), WIDTH), np.float32)
    return (latent * spectrum) @ turn * rng.uniform(0.2, 5.0, WIDTH).astype(np.float32)


def make_cohort(task: str, features: np.ndarray) -> Cohort:
    """Return a task of the published sizes; its classes follow directions of `features`, with noise."""
    source = next(name for name in RECORDS if task.startswith(name))
    begin = sum(list(RECORDS.values())[: list(RECORDS).index(source)])
    sizes, positives = SIZES[task], np.array(POSITIVES[task].split(), dtype=int)
    rng = np.random.default_rng(len(task))
    rows = begin + np.sort(rng.permutation(RECORDS[source])[: sum(sizes)])
    X = features[rows] / features[rows].std(axis=0)
    drive = X @ rng.normal(size=(WIDTH, len(positives))).astype(np.float32)
    drive = drive / drive.std(axis=0) + rng.standard_normal(drive.shape, np.float32)
    share = positives / sizes[0]
    labels = np.column_stack([drive[:, c] > np.quantile(drive[:, c], 1 - p) for c, p in enumerate(share)]).astype(
        np.uint8
    )
    order = rng.permutation(len(rows))
    train, val, test = (
        Split([f"{row}" for row in rows[chosen]], rows[chosen], labels[chosen])
        for chosen in np.split(order, np.cumsum(sizes)[:-1])
    )
    return Cohort(task, [f"class {c}" for c in range(len(positives))], train, val, test, without_features=0)


def draw_cells(cohorts: dict[str, Cohort], count: int) -> list[Fit]:
    """Draw `count` fits at random from every fraction and C."""
    rng = np.random.default_rng(0)
    classes = [(task, c) for task, cohort in cohorts.items() for c in np.flatnonzero(scorable(cohort.train.labels))]
    cells = []
    for fraction in SETTINGS.fractions:
        for c in SETTINGS.C:
            for task, label in (classes[i] for i in rng.choice(len(classes), count)):
                name = str(rng.choice(SETTINGS.representations))
                cells.append(Fit(task, name, fraction, c, int(label)))
    return [cells[i] for i in rng.permutation(len(cells))]


def fit(cell: Fit, cohort: Cohort, features: dict[str, np.ndarray]) -> float:
    """Return the seconds of one scikit-learn fit; standardising is not timed."""
    rows = subsets.nested(cohort.train.ids, cell.fraction, 0)
    X, y = features[cell.representation][cohort.train.rows[rows]], cohort.train.labels[rows, cell.label]
    if y.min() == y.max():
        return 0.0
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    start = time.perf_counter()
    LogisticRegression(C=cell.C, max_iter=1000).fit(X, y)
    return time.perf_counter() - start


def count_fits(cohorts: dict[str, Cohort]) -> int:
    return sum(cells_at(fraction, cohorts) for fraction in SETTINGS.fractions) * len(SETTINGS.C)


def cells_at(fraction: float, cohorts: dict[str, Cohort]) -> int:
    """Count the fits of one C at a fraction: classes x representations x seeds, one seed at 100 %."""
    classes = sum(len(cohort.classes) for cohort in cohorts.values())
    return classes * len(SETTINGS.representations) * (SETTINGS.seeds if fraction < 1 else 1)


def scale_up(timed: dict[tuple[float, float], list[float]], cohorts: dict[str, Cohort]) -> float:
    """Return the seconds of all fits from the mean of the timed ones, by fraction and C."""
    return sum(float(np.mean(values)) * cells_at(fraction, cohorts) for (fraction, _), values in timed.items())


def conventional_forwards(tasks: list[str]) -> int:
    """Count the records decoded and encoded when every epoch of every run does so (docs/protocols.md B.4)."""
    runs = [(fraction, SETTINGS.seeds if fraction < 1 else 1) for fraction in SETTINGS.fractions]
    per_epoch = sum(
        seeds * (round(fraction * SIZES[task][0]) + sum(SIZES[task][1:])) for task in tasks for fraction, seeds in runs
    )
    return EPOCHS * per_epoch


def per_record(records: int = 160) -> float:
    """Return the seconds to decode a 12 x 5,000 record with wfdb and encode it with a frozen ViT-tiny, in batches."""
    layer = torch.nn.TransformerEncoderLayer(192, 3, 768, dropout=0.0, activation="gelu", batch_first=True)
    encoder = torch.nn.TransformerEncoder(layer, 12, enable_nested_tensor=False).eval()
    patches = torch.nn.Linear(12 * 50, 192).eval()
    walk = np.cumsum(np.random.default_rng(0).integers(-9, 10, (12, 5000)), axis=1).clip(-3000, 3000).astype(np.int16)
    leads = ("I", "II", "III", "AVR", "AVL", "AVF", "V1", "V2", "V3", "V4", "V5", "V6")
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        for number in range(BATCH):
            for name, content in record_bytes(f"{number:05d}", walk, 500, leads).items():
                (Path(folder) / name).write_bytes(content)
        start = time.perf_counter()
        for _ in range(records // BATCH):
            signals = [wfdb.rdsamp(str(Path(folder) / f"{number:05d}"))[0] for number in range(BATCH)]
            batch = torch.from_numpy(np.stack(signals).astype(np.float32))
            encoder(patches(batch.reshape(BATCH, 100, 50 * 12))).mean(dim=1)
        return (time.perf_counter() - start) / (records // BATCH * BATCH)


if __name__ == "__main__":
    main()
