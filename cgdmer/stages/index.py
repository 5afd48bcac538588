"""Owns the stage index: a raw corpus becomes one table, with a quarantine for what cannot be used and facts to read."""

import logging
from pathlib import Path

from cgdmer import datasets, paths, protocol, tables
from cgdmer.acquisition import manifest
from cgdmer.datasets.corpus_index import CorpusIndex
from cgdmer.errors import DataError
from cgdmer.files import read_json, sha256, write_json
from cgdmer.settings import Corpus, Index

log = logging.getLogger(__name__)


def index(source: str, *, corpus: Corpus, index: Index) -> None:
    """Write the index table, its quarantine and its facts.

    DataError when a law of the table is broken, or when more of the corpus is quarantined than
    `index.max_quarantined` allows; the quarantine is written even then, because it says why.
    """
    with datasets.open_raw(source, corpus) as archive:
        if (paths.raw(source) / manifest.NAME).is_file():  # a folder put there by hand has none
            manifest.check(paths.raw(source), archive.path)
        found = datasets.module(source).read_index(archive, corpus=corpus, index=index, protocol=published(source))
    tables.write(found.quarantine, paths.index_quarantine(source))
    check_share(found, source, index.max_quarantined)
    tables.check_invariants(found.frame, source)
    paths.index_facts(source).unlink(missing_ok=True)
    tables.write(found.frame, paths.index(source))
    write_json(paths.index_facts(source), {"source": source, "sha256": sha256(paths.index(source)), **found.facts})
    log.info("%s: %d records indexed, split %s", source, found.frame.height, found.facts["split"]["kind"])


def published(source: str) -> Path | None:
    """Return the folder of the published tables; none for simulated records, which only carry the ids of real ones."""
    acquired = paths.raw(source) / "manifest.json"
    simulated = acquired.is_file() and read_json(acquired)["way"] == "simulate"
    return paths.PROTOCOL if protocol.available(paths.PROTOCOL) and not simulated else None


def check_share(found: CorpusIndex, source: str, largest: float) -> None:
    """Raise DataError when too large a share is quarantined, else log the reasons."""
    bad, total = found.quarantine.height, found.quarantine.height + found.frame.height
    if not bad:
        return
    reasons = found.quarantine["reason"].value_counts(sort=True).head(3)
    shown = "; ".join(f"{reason} ({count})" for reason, count in reasons.iter_rows())
    fact = f"{source}: {bad} of {total} records cannot be used, most often: {shown}"  # in logs, so no ids
    if bad / total > largest:
        raise DataError(
            fact,
            allowed=f"a share of {largest:g} (index.max_quarantined)",
            fix=f"read {paths.index_quarantine(source)}, complete the copy, then: dvc repro index@{source}",
        )
    log.warning(fact)
