"""Local copies of the benchmark corpora, complete or in part: all copies below a folder are read as one set."""

import logging
import os
from pathlib import Path

import numpy as np
import polars as pl

from cgdmer import datasets, preprocessing, settings, tables
from cgdmer.archives import Archive, open_archive
from cgdmer.archives.locate import versions
from cgdmer.archives.members import MEMBER_LIMIT
from cgdmer.errors import DataError
from cgdmer.external.external_set import REPEATED, ExternalSet, Labels, Origin
from cgdmer.shards import open_shards

log = logging.getLogger(__name__)

VERSIONS = {"ptb_xl": "1.0.3", "cpsc2018": "challenge-2021 1.0.3", "csn": "1.0.0"}


class Supplemented(Archive):
    """A copy of a corpus that takes the tables which it lacks from another copy; records are never taken from there."""

    supplement: Archive | None = None

    def read(self, name: str, limit: int = MEMBER_LIMIT) -> bytes:
        """Return a file's content, of a missing table that of the other copy; RecordError if neither has it."""
        if self.supplement is not None and name.endswith(".csv") and name not in self:
            return self.supplement.read(name, limit)
        return super().read(name, limit)


def copies(source: str, root: Path) -> list[Path]:
    """Return the folders and zips that hold the corpus: `root` itself, or those directly in it, by name.

    DataError for a folder with several versions of it.
    """
    if datasets.recognises(source, root, at_top=True):
        return [root]
    inside = sorted(path for path in root.iterdir() if path.is_dir() or path.suffix.lower() == ".zip")
    found = [path for path in inside if datasets.recognises(source, path)]
    for path in inside:
        if path not in found:
            _check_versions(source, path)
    return found


def _check_versions(source: str, path: Path) -> None:
    """Raise DataError if a folder holds several versions of the corpus, as a mirror may."""
    listed = path.is_dir() and os.access(path, os.R_OK | os.X_OK)
    held = [folder for folder in (versions(path) if listed else []) if datasets.recognises(source, folder)]
    if len(held) > 1:
        raise DataError(
            f"several versions of {source}: {', '.join(map(str, held))}",
            allowed="one",
            fix="link the copies to use into a folder, then: python -m cgdmer external-validation --root FOLDER",
        )


def read(source: str, folders: list[Path], config: settings.Settings, form: settings.Signal, work: Path) -> ExternalSet:
    """Read all copies of a corpus through its own reader; `work` is a scratch folder.

    Of records with one id, and of bit-identical recordings, only the first is kept. Splits play no part.
    """
    frames, signals, lost = [], [], 0
    for number, folder in enumerate(folders):
        scratch = work / f"{source}-{number}"
        frame, rows, unread = _read_one(source, folder, folders[0], config, form, scratch)
        frames.append(frame)
        signals.append(rows)
        lost += unread
    table = pl.concat(frames, how="diagonal").with_row_index("row")
    unique = table.unique("id", keep="first", maintain_order=True)
    kept = unique.unique("signal_digest", keep="first", maintain_order=True)
    every = np.concatenate(signals)
    module = datasets.module(source)
    return ExternalSet(
        Origin(module.TITLE, VERSIONS[source], module.LICENCE, module.URL.replace("/files/", "/content/")),
        kept["patient"].to_list(),
        every[kept["row"].to_numpy()],
        kept["valid"].to_numpy().astype(np.int64),
        {task: _labels(kept, task) for task in tables.label_tasks(kept)},
        {
            "age": kept["age"].cast(pl.Float64).fill_null(np.nan).to_numpy(),
            "male": kept.select(male=(pl.col("sex") == "male").cast(pl.Float64))
            .to_series()
            .fill_null(np.nan)
            .to_numpy(),
        },
        {
            "unusable": lost,
            "same id as another": table.height - unique.height,
            REPEATED: unique.height - kept.height,
        },
    )


def _read_one(
    source: str, folder: Path, first: Path, config: settings.Settings, form: settings.Signal, work: Path
) -> tuple[pl.DataFrame, np.ndarray, int]:
    """Return the rows of one copy with their labels, the signals (N, 12, T), and how many records cannot be used."""
    seconds = next((corpus.seconds for name, corpus in config.corpora.items() if name == source), form.seconds)
    corpus = settings.Corpus(way="local", splits="hash", seconds=seconds)
    module = datasets.module(source)
    lenient = form.model_copy(update={"max_quarantined": 1.0})
    with open_archive(folder) as archive, open_archive(first) as other, module.find(archive) as top:
        raw = Supplemented(top.path, top.prefix)
        raw.supplement = module.find(other)
        index = module.read_index(raw, corpus=corpus, index=config.index, protocol=None)
        preprocessing.preprocess(index.frame, top, work / "shards", work / "scratch", lenient, corpus.seconds)
    shards = open_shards(work / "shards")
    labels = [name for name in index.frame.columns if "/" in name]
    columns = shards.columns("id", "patient", "age", "sex", "valid", "signal_digest")
    frame = columns.join(index.frame.select("id", *labels), on="id", how="left", maintain_order="left")
    unread = index.quarantine.height + index.frame.height - len(shards)
    log.info("%s: %d records in %s, %d cannot be used", source, len(shards), folder, unread)
    return frame, shards.gather(np.arange(len(shards))), unread


def _labels(frame: pl.DataFrame, task: str) -> Labels:
    columns = tables.label_columns(frame, task)
    matrix = frame.select(pl.col(columns).fill_null(0)).to_numpy().astype(np.uint8)
    classes = [name.split("/", 1)[1] for name in columns]
    return Labels(classes, matrix, frame[columns[0]].is_not_null().to_numpy())
