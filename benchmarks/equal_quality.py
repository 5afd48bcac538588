"""How long the demo's settings train until they are as good as the method without its options.

Run: OMP_NUM_THREADS=1 CGDMER_DEVICES=1 python -m benchmarks.equal_quality [--seeds N] [--epochs N ...], after make demo

The earlier settings (AdamW, the mean over tokens, tokens of all leads; the demo until 2026-11-24) pretrain on the
demo's corpora for 8 epochs, the present ones for fewer. One JSON line per settings: seconds of training, macro AUROC of
pooled features as the mean over the demo's tasks at 1, 10 and 100 % of the labels, and the difference from the earlier
settings, with an interval for records, label subsets and pretrainings. Pretrainings alternate, so that all meet the
same load.
"""

import argparse
import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.quality import corpora
from benchmarks.quality.corpora import Corpus
from benchmarks.quality.results import FRACTIONS, shown, simulated
from benchmarks.quality.scoring import encoded, probed
from cgdmer import paths, settings
from cgdmer.encoders.pretrained import open_folder
from cgdmer.probing import seeds
from cgdmer.probing.cohort import cohort, tasks_of
from cgdmer.stages.pretrain import Destination, Sections, open_corpora, start

WORK = paths.STATE / "equal_quality"
EARLIER = {
    "model": {"pooling": "mean", "leads": "all"},
    "train": {"optimiser": "adamw", "lr": 0.002, "epochs": 8},
}
EPOCHS = (2, 3, 4)


@dataclass
class Trained:
    """The pretrainings of one choice of settings."""

    overlay: dict[str, Any]
    seconds: list[float] = field(default_factory=list)
    predictions: list[dict[str, pl.DataFrame]] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.equal_quality", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3, help="pretrainings of each; default: %(default)s")
    parser.add_argument("--epochs", type=int, nargs="+", default=EPOCHS, help="of the present settings")
    options = parser.parse_args()
    chosen = {"earlier, 8 epochs": Trained(EARLIER)}
    chosen |= {f"present, {n} epochs": Trained({"train": {"epochs": n}}) for n in options.epochs}
    scored = [corpora.opened(Path(), source) for source in settings.load().matrix.benchmarks]
    for number in range(options.seeds):
        for name, trained in chosen.items():
            pretrain(trained, number, name, scored)
    earlier = next(iter(chosen.values()))
    for name, trained in chosen.items():
        print(json.dumps({"settings": name} | line(trained, earlier)), flush=True)


def pretrain(trained: Trained, number: int, name: str, scored: list[Corpus]) -> None:
    """Pretrain once more with another seed, and score the encoder."""
    content = settings.merge(settings.read(Path("params.yaml")), trained.overlay)
    content["train"] |= {"seed": content["train"]["seed"] + number}
    config = settings.parse(content)
    folder = WORK / f"{name}-{number}"
    shutil.rmtree(folder, ignore_errors=True)
    begin = time.monotonic()
    start(Sections.of(config), open_corpora, Destination(folder / "model", folder, f"equal-quality-{number}"))
    trained.seconds.append(time.monotonic() - begin)
    trained.predictions.append(dict(predictions(folder, config, scored)))
    print(f"{name}, pretraining {number}: {trained.seconds[-1]:.0f} s of training", flush=True)


def predictions(folder: Path, config: settings.Settings, scored: list[Corpus]) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield the test scores of each task."""
    encoder = open_folder(folder / "model")
    for corpus in scored:
        ids, features = corpus.records["id"].to_list(), encoded(encoder, corpus, config)
        for task in tasks_of(corpus.source):
            yield task, probed(cohort(task, corpus.index, ids), features, config)


def line(trained: Trained, earlier: Trained) -> dict[str, Any]:
    """Return seconds, scores, and their differences from the earlier settings."""
    own = {fraction: simulated(trained.predictions, fraction) for fraction in FRACTIONS}
    result = {
        "seconds": [round(one, 1) for one in trained.seconds],
        "share of the earlier time": round(float(np.mean(trained.seconds) / np.mean(earlier.seconds)), 3),
        "auroc": {str(fraction): shown(seeds.estimate(one)) for fraction, one in own.items()},
    }
    if trained is not earlier:
        result["minus earlier"] = {
            str(fraction): shown(seeds.difference(one, simulated(earlier.predictions, fraction)))
            for fraction, one in own.items()
        }
    return result


if __name__ == "__main__":
    main()
