"""Train a variant and score its encoders: label-efficient probes, disturbed records, real recordings."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.quality.corpora import Corpus
from benchmarks.quality.variants import Variant
from cgdmer import settings, tables
from cgdmer.commands import train_encoder, training_code
from cgdmer.encoders.pretrained import Pretrained, open_folder
from cgdmer.evaluation import robustness
from cgdmer.evaluation.disturbances import Disturbance, disturb, name_of
from cgdmer.evaluation.robustness_features import EmbeddedRecords
from cgdmer.external import scoring as external
from cgdmer.external.external_set import ExternalSet
from cgdmer.models import weights
from cgdmer.probing import linear_probe
from cgdmer.probing.cohort import Cohort, cohort, tasks_of
from cgdmer.stages.pretrain import Destination, Sections, start

KIND = "pooled"
DISTURBED = "ptb_xl_super"
"""The task whose test records are disturbed."""
LAST = "disturbed.parquet"
"""Written last: a folder that holds it is complete."""
DISTURBANCES = (
    settings.Noise(kind="white", mv=0.1), settings.Noise(kind="wander", mv=1.0), settings.Drop(kind="drop", leads=3),
    settings.Exchange(kind="exchange", electrodes=["RA", "LA"]),
)  # fmt: skip
CODE = ("embeddings.py", "encoders", "evaluation", "json_dataclass.py", "probing", "protocol.py", "results.py")
"""Files and folders of the package that score simulated tasks, beside those that train."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Scored:
    """The scores of one variant: one entry of each list per pretraining."""

    variant: Variant
    predictions: list[dict[str, pl.DataFrame]]
    """Test scores of the simulated tasks, by task."""
    disturbed: list[pl.DataFrame]
    """Test scores of `DISTURBED`, clean and disturbed, by `condition`."""
    real: list[dict[str, np.ndarray]]
    """Features of the real recordings by representation; none without recordings."""


def score(variant: Variant, corpora: Sequence[Corpus], real: ExternalSet | None, work: Path) -> Scored:
    """Train and score every pretraining of a variant; what an earlier call did with this code is read again."""
    scored = Scored(variant, [], [], [])
    for number in range(variant.budget.seeds):
        folder = work / variant.name / variant.key / str(number)
        config = variant.config(number)
        encoder = _trained(variant, number, config, folder)
        scores = folder / f"scores-{training_code.digest(CODE)}"
        if not (scores / LAST).is_file():
            _score_simulated(encoder, config, corpora, scores)
        scored.predictions.append(
            {task: tables.read(scores / f"{task}.parquet") for one in corpora for task in tasks_of(one.source)}
        )
        scored.disturbed.append(tables.read(scores / LAST))
        if real is not None:
            scored.real.append(external.encode(encoder, real, config.embed.batch))
        log.info("%s: pretraining %d is scored", variant.name, number)
    return scored


def _trained(variant: Variant, number: int, config: settings.Settings, folder: Path) -> Pretrained:
    """Return the encoder of one pretraining, trained unless it is there."""
    destination = Destination(folder / "model", folder, f"quality-{variant.key}-{number}")
    if not (destination.model / weights.CONFIG).is_file():
        start(Sections.of(config), partial(train_encoder.open_data, train_encoder.describe(config)), destination)
    return open_folder(destination.model)


def _score_simulated(
    encoder: Pretrained, config: settings.Settings, corpora: Sequence[Corpus], folder: Path
) -> None:  # fmt: skip
    """Write the predictions of each task, then those of disturbed records, which complete the folder."""
    disturbed = pl.DataFrame()
    for corpus in corpora:
        ids, features = corpus.records["id"].to_list(), encoded(encoder, corpus, config)
        for task in tasks_of(corpus.source):
            joined = cohort(task, corpus.index, ids)
            tables.write(probed(joined, features, config), folder / f"{task}.parquet")
            if task == DISTURBED:
                disturbed = _disturbed(encoder, joined, features, corpus, config)
    tables.write(disturbed, folder / LAST)


def encoded(encoder: Pretrained, corpus: Corpus, config: settings.Settings) -> np.ndarray:
    """Return the features (N, D) of all records of a simulated corpus."""
    return _records(encoder, corpus, config).encode(KIND, None, corpus.change)


def probed(joined: Cohort, features: np.ndarray, config: settings.Settings) -> pl.DataFrame:
    """Return the test scores of a task."""
    return linear_probe.evaluate(joined, {KIND: features}, config.probe)[1]


def _disturbed(
    encoder: Pretrained, joined: Cohort, clean: np.ndarray, corpus: Corpus, config: settings.Settings
) -> pl.DataFrame:
    """Return the test scores without and under each disturbance, by `condition`."""
    records, disturbed = _records(encoder, corpus, config), {}

    def change(signal: np.ndarray, valid: np.ndarray, ids: list[str], *, added: Disturbance) -> np.ndarray:
        signal = corpus.change(signal, valid, ids)
        return disturb(signal, valid, ids, added, encoder.form, config.robustness.seed)

    for disturbance in DISTURBANCES:
        once = partial(change, added=disturbance)
        disturbed[name_of(disturbance)] = records.encode(KIND, None, once, split="test")
    ((_, predictions),) = robustness.evaluate([joined], {robustness.CLEAN: clean}, disturbed, config.probe)
    return predictions.with_columns(pl.lit(0, pl.Int32).alias("seed"))


def _records(encoder: Pretrained, corpus: Corpus, config: settings.Settings) -> EmbeddedRecords:
    ids = corpus.records["id"].to_list()
    return EmbeddedRecords(encoder, corpus.shards, corpus.source, ids, config.embed.batch)
