"""`cgdmer similar`: the recordings of a table of embeddings that resemble one of them, or another recording, most."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import cgdmer
from cgdmer import paths
from cgdmer.api import BASE, load_encoder
from cgdmer.commands import destinations
from cgdmer.commands.embed import MAX_START
from cgdmer.commands.embedding_tables import EmbeddingTable, open_table
from cgdmer.commands.findings import without_controls
from cgdmer.commands.outputs import check_format, open_output
from cgdmer.encoders.pretrained import Pretrained
from cgdmer.encoders.usable_leads import refusal
from cgdmer.errors import ConfigError, DataError, printable
from cgdmer.models import weights
from cgdmer.progress import terminal_bar
from cgdmer.recordings import ArrayMetadata, read_file
from cgdmer.recordings.discovery import HEADER_SUFFIXES
from cgdmer.similarity import Nearest

log = logging.getLogger(__name__)

FORMATS = (".parquet", ".csv", ".xlsx")
MAX_COUNT = 100_000
"""Most recordings that are listed."""


@dataclass(frozen=True)
class Search:
    """What is looked for, where, and where the result goes."""

    query: str
    """An id of the table, or the path of a recording."""
    table: Path
    feature: str = "shared"
    count: int = 10
    start: float = 0.0
    """The second at which the used part of a recording begins; 0 for that of the table."""
    output: Path | None = None
    overwrite: bool = False


@dataclass(frozen=True, eq=False)
class Similar:
    """The most similar recordings."""

    search: Search
    ids: list[str]
    found: Nearest

    def __str__(self) -> str:
        rows = zip(self.ids, self.found.similarity.tolist(), strict=True)
        lines = [f"{value:8.5f}  {without_controls(printable(name))}" for name, value in rows]
        told = f"{len(self.ids)} of {self.found.searched:,} recordings, by the cosine of {self.search.feature}"
        return "\n".join([*lines, told + (f", in {self.search.output}" if self.search.output else "")])


def similar(search: Search, model: str | None, metadata: ArrayMetadata) -> Similar:
    """Find the most similar recordings, write them if an output is named, and return them.

    If the query is an id of the table, its own row is left out. Else it is a recording, which is encoded as the table
    was. ConfigError for impossible options, DataError for another encoder or vectors that are not finite.
    """
    if not 1 <= search.count <= MAX_COUNT:
        raise ConfigError(f"-k {search.count}", allowed=f"1 to {MAX_COUNT:,}", fix="-k 10")
    if not 0 <= search.start <= MAX_START:
        raise ConfigError(f"--start {search.start:g}", allowed=f"seconds from 0 to {MAX_START:,}", fix="--start 0")
    if search.output is not None:
        check_format(search.output, FORMATS)
        destinations.claim(search.output, [str(search.table), search.query], overwrite=search.overwrite)
        if search.table.is_dir():
            destinations.check_inputs(search.output, list(search.table.iterdir()))
    table = open_table(search.table, search.feature)
    row, vector = _row_of(table, search.query)
    if vector is not None and search.start:
        raise ConfigError(f"--start {search.start:g} with an id of the table", fix="leave out --start")
    if vector is None:
        vector = _encoded(search, table.meta, model, metadata)
    result = _search(search, table, Nearest(vector, search.count, row))
    if search.output is not None:
        _write(result, search.output, table.meta)
    return result


def _row_of(table: EmbeddingTable, query: str) -> tuple[int | None, np.ndarray | None]:
    """Return row and vector of an id; None and None if the table has no such id. DataError if it occurs twice."""
    row, vector, seen = None, None, 0
    for ids, vectors in table.blocks():
        if query in ids:
            place = ids.index(query)
            if vector is not None or ids.count(query) > 1:
                raise DataError(
                    f"{printable(str(table.path))} has the id {printable(query)} twice", allowed="once each"
                )
            row, vector = seen + place, np.array(vectors[place])
        seen += len(ids)
    if not seen:
        raise DataError(f"{printable(str(table.path))} holds no recording", fix="cgdmer embed PATHS")
    return row, vector


def _search(search: Search, table: EmbeddingTable, found: Nearest) -> Similar:
    """Compare all rows; of their ids, only those of the best so far are kept."""
    kept: dict[int, str] = {}
    for ids, vectors in terminal_bar(table.blocks(), unit="block", desc="comparing"):
        first = found.searched
        found.add(vectors)
        kept = {row: kept[row] if row < first else ids[row - first] for row in found.rows.tolist()}
    return Similar(search, list(kept.values()), found)


def _encoded(search: Search, meta: dict[str, Any], model: str | None, metadata: ArrayMetadata) -> np.ndarray:
    """Encode a recording as the table was, (D,)."""
    if not any(Path(f"{search.query}{suffix}").exists() for suffix in ("", *HEADER_SUFFIXES)):
        raise DataError(
            f"{printable(search.query)} is neither an id of {printable(str(search.table))} nor a file",
            allowed="an id as the table holds it, or the path of a recording",
        )
    digest = meta.get("encoder_digest")
    if not isinstance(digest, str) or not digest:
        raise DataError(
            f"{printable(str(search.table))} does not say which encoder wrote it, so no recording can be compared",
            allowed="an id of the table as QUERY, or a table that `cgdmer embed` wrote, with its metadata",
        )
    if meta.get("row") == "recording":
        raise DataError(
            f"{printable(str(search.table))} holds means over windows, with which a single window cannot be compared",
            allowed="an id of the table as QUERY, or a table without --every or with --windows",
        )
    encoder = _encoder_of(digest, model, search)
    if search.feature not in encoder.dims:
        raise ConfigError(f"--feature {search.feature}: the encoder has none", allowed=", ".join(sorted(encoder.dims)))
    seconds, start = (
        _number(meta.get(name), default) for name, default in (("seconds", encoder.seconds), ("start", 0))
    )
    start = search.start or start
    record = read_file(search.query, encoder.form, metadata=metadata, seconds=seconds, start=start)
    if error := refusal(encoder, record.signal):
        raise error
    if record.doubts:
        log.warning("%s: %s", printable(search.query), "; ".join(record.doubts))
    return np.asarray(encoder.encode(record.signal[None])[search.feature][0])


def _number(value: Any, default: float) -> float:
    return float(value) if isinstance(value, int | float) and 0 <= value < 1e7 else float(default)


def _encoder_of(digest: str, model: str | None, search: Search) -> Pretrained:
    """Return the encoder of a table; DataError if neither `--model` nor those at hand are that one."""
    own = [str(paths.MODEL)] if (paths.MODEL / weights.CONFIG).is_file() else []
    names = [model] if model is not None else [*own, BASE]
    for name in names:
        encoder = load_encoder(name)
        if encoder.digest == digest:
            return encoder
    raise DataError(
        f"{printable(str(search.table))} was written by the encoder {digest[:12]}, not by {', '.join(names)}; "
        "vectors of different encoders cannot be compared",
        allowed="the encoder that wrote the table",
        fix="--model FOLDER of that encoder, or cgdmer embed PATHS with this one",
    )


def _write(result: Similar, output: Path, meta: dict[str, Any]) -> None:
    described = {
        destinations.KEY: cgdmer.__version__,
        "query": result.search.query,
        "table": str(result.search.table),
        "feature": result.search.feature,
        "encoder_digest": meta.get("encoder_digest"),
        "searched": result.found.searched,
    }
    with open_output(output, described) as write:
        write({"id": result.ids, "similarity": result.found.similarity})
