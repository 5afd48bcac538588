"""Choose what the benchmark page draws: real records by finding, test records, and two axes of their features."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from cgdmer import embeddings, paths, tables
from cgdmer.probing.cohort import scorable
from cgdmer.report.gather import Corpus
from cgdmer.report.headline import SOURCE_NAMES
from cgdmer.report.pictures import Projection, Tracing
from cgdmer.shards import Shards, open_shards

MISLABELLED = "csn/"
"""Labels made by substring matching (docs/protocols.md A.5): kept for comparison only, never shown beside an ECG."""
POINTS = 800
"""Most test records of a projection, the first in index order."""

CLASSES_OF_TITLES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("fibrillation", ("AFIB",)),
    ("flutter", ("AFLT", "AF")),
    ("left bundle", ("CLBBB", "LBBB")),
    ("right bundle", ("CRBBB", "RBBB")),
    ("inferior infarction", ("IMI", "MI")),
    ("hypertrophy", ("LVH", "HYP")),
    ("first-degree", ("1AVB",)),
    ("anterior infarction", ("AMI", "ASMI", "MI")),
    ("normal", ("NORM",)),
)
"""Words in the title of a simulated finding, and the corpus classes with the same meaning."""


def counterparts(titles: Sequence[str], sources: Sequence[str], named: bool = True) -> list[Tracing]:
    """Return one real record per title, with a similar finding if one is left; no record is used twice.

    The list is shorter if the sources hold fewer records. Records with missing or flat leads are skipped.
    """
    candidates = [_candidates(source) for source in sources]
    used: set[tuple[str, str]] = set()
    tracings = []
    for title in titles:
        classes = [name for words, names in CLASSES_OF_TITLES if words in title.lower() for name in names]
        choice = _first(candidates, used, classes)
        if choice is None:
            break
        used.add(choice[:2])
        tracings.append(_tracing(*choice, named=named))
    return tracings


def _candidates(source: str) -> tuple[str, Shards, pl.DataFrame]:
    """Return the complete 10 s records of a source with their row in the shards and their positive classes."""
    shards = open_shards(paths.shards(source))
    rows = shards.columns("id", "report", "valid", "missing", "flat", "clipped").with_row_index("row")
    good = rows.filter(missing=0, flat=0, valid=shards.samples).filter(pl.col("clipped") < 0.01)
    index = tables.read(paths.index(source))
    labels = [name for name in index.columns if "/" in name and not name.startswith(MISLABELLED)]
    positive = [pl.when(pl.col(name) == 1).then(pl.lit(name.split("/", 1)[1])) for name in labels]
    classes = pl.concat_list(positive or [pl.lit(None, pl.String)]).list.drop_nulls().list.unique().list.sort()
    named = index.select("id", classes=classes)
    return source, shards, good.join(named, on="id", how="inner", maintain_order="left")


Choice = tuple[str, str, Shards, int, str, list[str]]


def _first(
    candidates: Sequence[tuple[str, Shards, pl.DataFrame]], used: set[tuple[str, str]], classes: list[str]
) -> Choice | None:
    """Return the first unused record with one of the classes, tried in order, else the first unused record."""
    for name in [*classes, None]:
        for source, shards, rows in candidates:
            fitting = rows if name is None else rows.filter(pl.col("classes").list.contains(name))
            for row in fitting.iter_rows(named=True):
                if (source, row["id"]) not in used:
                    return source, row["id"], shards, row["row"], row["report"], row["classes"]
    return None


def _tracing(
    source: str, name: str, shards: Shards, row: int, report: str, classes: Sequence[str], *, named: bool
) -> Tracing:
    """Return a record to draw, without its id and report unless `named`."""
    title = f"{SOURCE_NAMES.get(source, source)} record{f' {name}' if named else ''}" + (
        f", labelled {', '.join(classes)}" if classes else ""
    )
    return Tracing(title, shards.gather(np.array([row]))[0], shards.fs, report if named else "")


def held_out(source: str, count: int) -> tuple[Shards, pl.DataFrame]:
    """Return the shards of a source and its first complete test records: row, id, valid, missing."""
    shards = open_shards(paths.shards(source))
    rows = shards.columns("id", "split", "valid", "missing", "flat").with_row_index("row")
    return shards, rows.filter(split="test", missing=0, flat=0).sort(
        "valid", descending=True, maintain_order=True
    ).head(count)


def projection(encoder: str, source: str, task: str, kinds: Sequence[str]) -> Projection | None:
    """Project the test records of a task and mark the class whose share is nearest to a third.

    None if the encoder lacks one of the representations `kinds`, or if no class can be scored.
    """
    folder = paths.embeddings(encoder, source)
    if not (folder / embeddings.META).is_file():
        return None
    cached = embeddings.read(folder)
    if any(kind not in cached.features for kind in kinds):
        return None
    index = tables.members(tables.read(paths.index(source)), task).filter(split="test")
    test = index.filter(pl.col("id").is_in(cached.ids)).head(POINTS)
    names, labels = tables.labels(test, task)
    scored = scorable(labels) if test.height > 2 else np.zeros(len(names), dtype=bool)
    if not scored.any():
        return None
    distance = np.where(scored, np.abs(labels.mean(axis=0) - 1 / 3), np.inf)
    chosen = int(np.argmin(distance))
    rows = cached.rows_of(test["id"].to_list())
    axes = {kind: principal(cached.features[kind][rows]) for kind in kinds}
    return Projection(
        task, names[chosen], {kind: points for kind, (points, _) in axes.items()},
        {kind: share for kind, (_, share) in axes.items()}, labels[:, chosen] > 0,
    )  # fmt: skip


def principal(features: np.ndarray) -> tuple[np.ndarray, float]:
    """Return (n, 2) coordinates on the first two principal axes and their share of the variance.

    The largest component of each axis is positive, so that the picture is the same on every run.
    """
    centred = features.astype(np.float64) - features.mean(axis=0, dtype=np.float64)
    values, vectors = np.linalg.eigh(centred.T @ centred)
    axes = vectors[:, ::-1][:, :2]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), range(axes.shape[1])])
    return centred @ axes, float(values[::-1][:2].sum() / max(values.sum(), 1e-12))


def real_sources(sources: Mapping[str, Corpus]) -> list[str]:
    """Return the sources whose records were not simulated."""
    return [name for name, corpus in sources.items() if corpus.way in ("local", "download")]
