"""How much another pretraining of the shipped encoder changes its scores on real recordings.

Run: python -m benchmarks.pretrainings FOLDER ... [--root ROOT]

Each FOLDER holds the weights of one more pretraining by params/encoder.yaml: `data/models/base` of a clone in which
`train.seed` of that file was changed, after `python -m cgdmer train-encoder`. The shipped encoder is the first one.
Frozen pooled features, linear probes, five folds by patient, and zero-shot, as `cgdmer external-validation` does it.
The intervals of means, and of the difference from hand-crafted features, contain records and pretrainings.
ROOT holds the sets, or CGDMER_RAW_ROOT. The numbers are printed, and stored in reports/pretrainings.json.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from cgdmer import paths, settings
from cgdmer.commands import external_validation
from cgdmer.encoders import Encoder
from cgdmer.encoders.cgdmer_base import open_shipped
from cgdmer.encoders.handcrafted import Handcrafted
from cgdmer.encoders.pretrained import Pretrained, open_folder
from cgdmer.evaluation.zero_shot import unit
from cgdmer.external import few_labels, scoring
from cgdmer.external.external_set import ExternalSet
from cgdmer.external.results import RealCell, RealDifference
from cgdmer.files import write_json

OURS, CONTROL = "cgdmer-base", "handcrafted"
FILE = paths.REPORTS / "pretrainings.json"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pretrainings", description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="weights of another pretraining")
    parser.add_argument("--root", type=Path, help="folder with the real recordings; default: CGDMER_RAW_ROOT")
    options = parser.parse_args()
    root, config = external_validation.find_root(options.root), settings.load()
    shipped = open_shipped()
    methods: dict[str, list[Encoder]] = {
        OURS: [shipped, *(open_folder(folder) for folder in options.folders)],
        CONTROL: [Handcrafted(shipped.form)],
    }
    found = []
    for name, source in external_validation.SOURCES.items():
        if copies := source.find(root):
            real = external_validation.read(name, copies, config, shipped.form)
            for line in lines(real, methods, config):
                found.append({"set": name, **line})
                print(json.dumps(found[-1]), flush=True)
    write_json(FILE, {"encoders": [encoder.digest for encoder in methods[OURS]], "tasks": found})


def lines(
    real: ExternalSet, methods: Mapping[str, Sequence[Encoder]], config: settings.Settings
) -> Iterator[dict[str, Any]]:
    """Yield one line per task of a set that has enough records."""
    encoded = {name: [scoring.encode(one, real, config.embed.batch) for one in each] for name, each in methods.items()}
    features = {name: [{scoring.MAIN: one[scoring.MAIN]} for one in each] for name, each in encoded.items()}
    for task, labels in real.tasks.items():
        members = scoring.members(labels, real.patients, config.probe.bootstrap)
        if members is not None:
            scored = scoring.score_task(members, features, config.probe.C)
            ours, control = (scored.encoders[name][scoring.MAIN] for name in (OURS, CONTROL))
            yield {
                "task": task, "records": scored.records, "pretrainings": len(features[OURS]),
                "each": ours.by_weights,
                OURS: shown(ours), CONTROL: shown(control), "difference": shown(scored.differences[CONTROL]),
                "zero_shot": zero_shot(members, methods[OURS], [one[scoring.ALIGNED] for one in encoded[OURS]]),
            }  # fmt: skip


def zero_shot(
    task: scoring.Members, encoders: Sequence[Encoder], aligned: Sequence[np.ndarray]
) -> dict[str, list[float]] | None:
    """Return the scores by prompts of each pretraining, and their mean; None if a class has no prompt."""
    vectors = [few_labels.class_vectors(cast(Pretrained, encoder), task.names) for encoder in encoders]
    logits = [
        unit(ecgs[task.rows]) @ prompts.T for ecgs, prompts in zip(aligned, vectors, strict=True) if prompts is not None
    ]
    if len(logits) < len(encoders):
        return None
    mean = scoring.cell(scoring.score_logits(logits, task), task.names)
    return {"each": mean.by_weights or [mean.mean], "mean": shown(mean)}


def shown(value: RealCell | RealDifference) -> list[float]:
    """Return mean, low and high."""
    return [value.mean, value.low, value.high]


if __name__ == "__main__":
    main()
