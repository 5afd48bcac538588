"""Stage index: a raw corpus -> one table of usable records, a quarantine of the others, and facts about both."""

import logging
from collections import Counter
from pathlib import Path

from cgdmer import datasets, paths, protocol, tables
from cgdmer.acquisition import manifest
from cgdmer.datasets.corpus_index import CorpusIndex
from cgdmer.errors import DataError, redacted
from cgdmer.files import read_json, sha256, write_json
from cgdmer.settings import Corpus, Index

log = logging.getLogger(__name__)


def index(source: str, *, corpus: Corpus, index: Index) -> None:
    """Write the index table, its quarantine and its facts.

    DataError if the table violates an invariant, or if a larger share of the corpus is quarantined than
    `index.max_quarantined` allows; the quarantine, which gives the reasons, is written even then.
    """
    with datasets.open_raw(source, corpus) as archive:
        if (paths.raw(source) / manifest.NAME).is_file():  # a folder that was put there by hand has none
            manifest.check(paths.raw(source), archive.path)
        corpus_index = datasets.module(source).read_index(
            archive, corpus=corpus, index=index, protocol=published(source)
        )
    tables.write(corpus_index.quarantine, paths.index_quarantine(source))
    check_share(corpus_index, source, index.max_quarantined)
    tables.check_invariants(corpus_index.frame, source)
    paths.index_facts(source).unlink(missing_ok=True)
    tables.write(corpus_index.frame, paths.index(source))
    write_json(
        paths.index_facts(source), {"source": source, "sha256": sha256(paths.index(source)), **corpus_index.facts}
    )
    log.info("%s: %d records indexed, split %s", source, corpus_index.frame.height, corpus_index.facts["split"]["kind"])


def published(source: str) -> Path | None:
    """Return the folder of the published split tables; None for simulated records, which only borrow real ids."""
    acquired = paths.raw(source) / "manifest.json"
    simulated = acquired.is_file() and read_json(acquired)["way"] == "simulate"
    return paths.PROTOCOL if protocol.available(paths.PROTOCOL) and not simulated else None


def check_share(corpus_index: CorpusIndex, source: str, largest: float) -> None:
    """Raise DataError if more than the share `largest` is quarantined, otherwise log the reasons."""
    bad, total = corpus_index.quarantine.height, corpus_index.quarantine.height + corpus_index.frame.height
    if not bad:
        return
    rows = corpus_index.quarantine.select("reason", "member").iter_rows()
    reasons = Counter(redacted(reason, member or "") for reason, member in rows)
    listed = "; ".join(f"{reason} ({count})" for reason, count in reasons.most_common(3))
    fact = f"{source}: {bad} of {total} records cannot be used, most often: {listed}"  # logged: no id, cell or name
    if bad / total > largest:
        raise DataError(
            fact,
            allowed=f"a share of {largest:g} (index.max_quarantined)",
            fix=f"read {paths.index_quarantine(source)}, complete the copy, then: dvc repro index@{source}",
        )
    log.warning(fact)
