"""`cgdmer profile NAME`: change the profile, and fit it to the copies and split tables that are on this machine."""

from pathlib import Path
from typing import Any

import polars as pl

from cgdmer import datasets, environment, paths, protocol, tables
from cgdmer.archives import open_archive
from cgdmer.archives.locate import not_found
from cgdmer.errors import ConfigError, DataError
from cgdmer.probing.cohort import scorable, tasks_of
from cgdmer.settings import Settings, profiles
from cgdmer.settings.data import Source
from cgdmer.settings.profiles import Adaptation, Resolution

CHECKED = 4000
"""Most header and `.mat` files of a copy whose labels are counted here; a larger one has enough records."""


def switch(name: str, resolution: Resolution | None = None) -> str:
    """Write `params.yaml` for a profile and return a message; raises as `profiles.switch` and `adapt` do."""
    return profiles.switch(name, resolution, adapt)


def adapt(chosen: Settings) -> Adaptation:
    """Leave out corpora without a copy, and benchmarks whose copy has too few records to be scored.

    Only corpora that must be local copies are looked for, and only if CGDMER_RAW_ROOT is set. Raises DataError if no
    benchmark or no pretraining corpus is left, or a copy exists in several versions; ConfigError if a published split
    is required and its table is absent.
    """
    _check_lists(chosen)
    lines: list[str] = []
    missing = _missing(chosen, lines)
    lines += [
        f"{source}: {chosen.corpora[source].records:,} simulated recordings, as the profile says; no copy is looked for"
        for source in chosen.matrix.sources
        if chosen.corpora[source].way == "simulate"
    ]
    sources = [source for source in chosen.matrix.sources if source not in missing]
    values: dict[str, Any] = {}
    if way := _protocol_way(chosen, sources):
        values["protocol"] = {"way": way}
        lines.append(f"protocol.way: {way}, because CGDMER_PROTOCOL_ROOT is set")
    benchmarks = [source for source in chosen.matrix.benchmarks if source not in missing]
    benchmarks = [source for source in benchmarks if _has_enough(source, chosen, lines)]
    pretraining = [source for source in chosen.pretraining_set.sources if source not in missing]
    if not benchmarks:
        raise _nothing_left("benchmark", chosen.matrix.benchmarks[0], lines)
    if not pretraining:
        instead = "; or cgdmer profile real, which simulates MIMIC-IV-ECG"
        raise _nothing_left("pretraining corpus", chosen.pretraining_set.sources[0], lines, instead)
    before = {"sources": chosen.matrix.sources, "benchmarks": chosen.matrix.benchmarks}
    after = {"sources": sources, "benchmarks": benchmarks}
    if changed := {key: after[key] for key in after if after[key] != before[key]}:
        values["matrix"] = changed
    if pretraining != chosen.pretraining_set.sources:
        values["pretraining_set"] = {"sources": pretraining}
    return Adaptation(values, lines)


def _check_lists(chosen: Settings) -> None:
    """Raise ConfigError unless the pipeline has a corpus to pretrain on and one to evaluate on."""
    if not chosen.pretraining_set.sources:
        raise ConfigError(
            "pretraining_set.sources is empty, and the pipeline pretrains on corpora",
            allowed="one corpus or more; a profile of simulated records alone is for train-encoder",
            fix="python -m cgdmer train-encoder, which reads params/encoder.yaml; or another profile",
        )
    if not chosen.matrix.benchmarks:
        raise ConfigError("matrix.benchmarks is empty: nothing would be evaluated", fix="name a corpus there")


def _nothing_left(kind: str, example: Source, lines: list[str], instead: str = "") -> DataError:
    fix = not_found(example, datasets.module(example).ALIASES, environment.read().raw_root).fix
    return DataError("\n".join([f"no {kind} is left", *lines]), fix=fix + instead)


def _missing(chosen: Settings, lines: list[str]) -> list[Source]:
    """Return the corpora that must be local copies and have none; add a line for each."""
    raw_root = environment.read().raw_root
    local = [source for source in chosen.matrix.sources if chosen.corpora[source].way == "local"]
    missing = [source for source in local if datasets.local_root(source, chosen.corpora[source]) is None]
    if missing and raw_root is None:
        lines.append(f"CGDMER_RAW_ROOT is not set, so no copy of {', '.join(missing)} was looked for")
        return []
    lines += [
        f"left out: {source}: no local copy under CGDMER_RAW_ROOT={raw_root}; cgdmer check {source} lists the names"
        for source in missing
    ]
    return missing


def _protocol_way(chosen: Settings, sources: list[Source]) -> str | None:
    """Return the `protocol.way` that makes the required split tables available, or None if it need not change."""
    published = [source for source in sources if chosen.corpora[source].splits == "published"]
    required = [source for source in published if source in protocol.TABLES]
    root, way = environment.read().protocol_root, chosen.protocol.way
    if not required or way == "download" or (way == "local" and root):
        return None
    if way == "none" and root:
        return "local"
    hashed = " and ".join(f"corpora.{source}.splits: hash" for source in required)
    raise ConfigError(
        f"the published splits of {' and '.join(required)} are required, and their tables are absent",
        allowed="the published splits, or hash splits asked for by name",
        fix="set protocol.way: download in params.yaml, or export CGDMER_PROTOCOL_ROOT=/folder/with/merl_splits; "
        f"for hash splits, set {hashed} and add --keep; then run the command again",
    )


def _has_enough(source: Source, chosen: Settings, lines: list[str]) -> bool:
    """Return True unless a local copy is so small that a task cannot be scored; then add a line with the reason."""
    corpus = chosen.corpora[source]
    root = datasets.local_root(source, corpus) if corpus.way == "local" else None
    if root is None:
        return True
    with datasets.module(source).find(open_archive(root)) as archive:
        if sum(name.endswith((".hea", ".mat")) for name in archive.names()) > CHECKED:
            return True
        folder = _tables_folder(chosen)
        if folder is None and corpus.splits == "published" and source in protocol.TABLES:
            lines.append(f"{source}: a small copy; whether it can be scored shows once the split tables are downloaded")
            return True
        try:
            index = datasets.module(source).read_index(archive, corpus=corpus, index=chosen.index, protocol=folder)
            problem = unscorable(source, index.frame)
        except DataError as error:
            problem = error.problem
    if problem:
        lines.append(f"left out of the benchmarks: {source}: {problem}; it is still indexed and validated")
    return problem is None


def unscorable(source: str, index: pl.DataFrame) -> str | None:
    """Return why the linear probe cannot score a task of an index table (`probing.cohort` has the rule), or None."""
    for task in tasks_of(source):
        members = tables.members(index, task)
        for split in tables.SPLITS:
            rows = members.filter(split=split)
            if rows.is_empty():
                return f"{members.height} records of {task} and none in the {split} split"
            if split == "test" and not scorable(tables.labels(rows, task)[1]).any():
                return f"in its {rows.height} test records every class of {task} is all positive or all negative"
    return None


def _tables_folder(chosen: Settings) -> Path | None:
    """Return the folder of the published split tables that are here already, if any."""
    root = environment.read().protocol_root
    candidates = [paths.PROTOCOL] if chosen.protocol.way == "download" or root is None else [root, paths.PROTOCOL]
    return next((folder for folder in candidates if protocol.available(folder)), None)
