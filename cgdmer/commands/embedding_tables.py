"""Read what `cgdmer embed` wrote, or an .npz, block by block: ids, the vectors of one representation, metadata."""

import csv
import json
import lzma
import math
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from cgdmer import embeddings
from cgdmer.commands.destinations import KEY, SMALL, metadata_beside
from cgdmer.errors import ConfigError, DataError, did_you_mean, printable
from cgdmer.files import check_regular, read_json

BLOCK = 1 << 15
"""Rows of a block: 25 MB of 192 numbers."""
MAX_BYTES = 1 << 40
MAX_RATIO = 200
"""How many times its compressed size an array of an .npz may have."""
DAMAGE = (OSError, ValueError, KeyError, TypeError, EOFError, RuntimeError, MemoryError, ArithmeticError,
          csv.Error, lzma.LZMAError, zipfile.BadZipFile, zlib.error)  # fmt: skip
"""What the readers of the four kinds of tables raise at a damaged file."""
Block = tuple[list[str], np.ndarray]
"""The ids of rows, and their vectors float32 (b, D)."""


@dataclass(frozen=True)
class EmbeddingTable:
    """A table whose blocks can be read again and again."""

    path: Path
    feature: str
    meta: dict[str, Any]
    """What `embed` noted: encoder, digest, seconds, start; empty for an .npz without metadata."""
    blocks: Callable[[], Iterable[Block]]


def open_table(path: Path, feature: str) -> EmbeddingTable:
    """Open a table; ConfigError for another kind of file or a representation that it lacks, DataError if damaged."""
    kinds = {".parquet": _parquet, ".csv": _csv, ".npz": _npz, "": _folder}
    if path.suffix not in kinds:
        raise ConfigError(
            f"--in {printable(str(path))}: no table of embeddings", allowed=".parquet, .csv, .npz, folder"
        )
    if not path.exists():
        raise DataError(
            f"there is no {printable(str(path))}", fix=f"cgdmer embed PATHS --output {printable(str(path))}"
        )
    try:
        if path.suffix:
            check_regular(path, MAX_BYTES)
        meta, blocks = kinds[path.suffix](path, feature)
    except DAMAGE as error:
        raise _damaged(path, error) from error
    return EmbeddingTable(path, feature, meta if isinstance(meta, dict) else {}, lambda: _guarded(path, blocks))


def _guarded(path: Path, blocks: Callable[[], Iterable[Block]]) -> Iterator[Block]:
    try:
        yield from blocks()
    except DAMAGE as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> DataError:
    reason = printable(str(error).splitlines()[0] if str(error) else type(error).__name__)[:200]
    return DataError(f"{printable(str(path))} cannot be read: {reason}", fix="write it again: cgdmer embed")


def _check_feature(path: Path, feature: str, available: Iterable[str]) -> None:
    names = sorted(available)
    if feature not in names:
        hint = did_you_mean(feature, names)
        raise ConfigError(
            f"--feature {printable(feature)}: {printable(str(path))} has none of that name{hint}",
            allowed=", ".join(names)[:500] or "a table of embeddings",
        )


def _parquet(path: Path, feature: str) -> tuple[Any, Callable[[], Iterable[Block]]]:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    with ParquetFile(path) as file:
        schema = file.schema_arrow
    kinds = {field.name: field.type for field in schema}
    tests = (pa.types.is_fixed_size_list, pa.types.is_list, pa.types.is_large_list)
    lists = [name for name, kind in kinds.items() if any(test(kind) for test in tests)]
    _check_feature(path, feature, [name for name in lists if pa.types.is_floating(kinds[name].value_type)])
    if "id" not in kinds:
        raise ValueError("it has no column id")

    def blocks() -> Iterator[Block]:
        for batch in _batches(path, ["id", feature]):
            vectors = batch.column(feature)
            if vectors.null_count or batch.column("id").null_count:
                raise ValueError("a cell is empty")
            if len(vectors.value_lengths().unique()) > 1:
                raise ValueError(f"the vectors of {feature} differ in length")
            flat = vectors.flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
            yield [str(name) for name in batch.column("id").to_pylist()], flat.reshape(len(vectors), -1)

    return json.loads((schema.metadata or {}).get(KEY.encode(), b"{}")), blocks


def _batches(path: Path, columns: list[str]) -> Iterator[Any]:
    """Yield record batches; each row group is opened by itself, because a reader keeps what it has read."""
    from pyarrow.parquet import ParquetFile

    with ParquetFile(path) as file:
        groups = file.num_row_groups
    for group in range(groups):
        with ParquetFile(path, pre_buffer=False) as file:
            for batch in file.iter_batches(BLOCK, row_groups=[group], columns=columns, use_threads=False):
                if batch.num_rows:
                    yield batch


def _csv(path: Path, feature: str) -> tuple[Any, Callable[[], Iterable[Block]]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        header = next(csv.reader(stream), [])
    numbered = [name.rpartition("_") for name in header]
    _check_feature(path, feature, {stem for stem, _, number in numbered if stem and number.isdecimal()})
    places = {name: place for place, name in reversed(list(enumerate(header)))}
    wanted = ["id", *(f"{feature}_{number}" for number in range(sum(stem == feature for stem, _, _ in numbered)))]
    if absent := [name for name in wanted if name not in places]:
        raise ValueError(f"the column {absent[0]} is missing, or another one occurs twice")
    place, *columns = (places[name] for name in wanted)

    def blocks() -> Iterator[Block]:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.reader(stream)
            next(rows)
            while part := list(islice(rows, BLOCK)):
                if any(len(row) != len(header) for row in part):
                    raise ValueError("a row has too few or too many cells")
                if any("\0" in row[place] for row in part):
                    raise ValueError("an id holds a NUL character")
                yield [row[place] for row in part], np.array([[row[c] for c in columns] for row in part], np.float32)

    beside = metadata_beside(path)
    return read_json(beside, SMALL) if beside.is_file() else {}, blocks


def _npz(path: Path, feature: str) -> tuple[Any, Callable[[], Iterable[Block]]]:
    with zipfile.ZipFile(path) as file:
        stored = {name.removesuffix(".npy") for name in file.namelist()}
        _check_feature(path, feature, stored - {"id", KEY})
        for name in ("id", feature, *stored & {KEY}):
            _check_array(file, name, "iuf" if name == feature else "iuUS")
    with np.load(path, allow_pickle=False) as arrays:
        ids, meta = arrays["id"], json.loads(str(arrays[KEY])) if KEY in stored else {}

    def blocks() -> Iterator[Block]:
        with np.load(path, allow_pickle=False) as arrays:
            vectors = arrays[feature]
        if vectors.ndim != 2 or len(vectors) != len(ids) or ids.ndim != 1:
            raise ValueError(f"{vectors.shape} vectors for {ids.shape} ids")
        for begin in range(0, len(ids), BLOCK):
            part = slice(begin, begin + BLOCK)
            yield [str(name) for name in ids[part].tolist()], vectors[part].astype(np.float32, copy=False)

    return meta, blocks


def _check_array(file: zipfile.ZipFile, name: str, kinds: str) -> None:
    """Raise ValueError unless an array of an .npz has one of the kinds and the size that its header states.

    It is not decompressed before.
    """
    member = file.getinfo(f"{name}.npy")
    with file.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, kind = read(stream, max_header_size=10_000)
        stated = stream.tell() + kind.itemsize * math.prod(shape)
    if kind.kind not in kinds:
        raise ValueError(f"the array {name} holds {kind}")
    if stated != member.file_size or stated > MAX_RATIO * (member.compress_size + MAX_RATIO):
        raise ValueError(
            f"the array {name} of {shape} {kind} needs {stated:,} bytes; {member.file_size:,} are stated and "
            f"{member.compress_size:,} compressed"
        )


def _folder(path: Path, feature: str) -> tuple[Any, Callable[[], Iterable[Block]]]:
    if not (path / embeddings.META).is_file():
        raise DataError(
            f"--in {printable(str(path))}: no table of embeddings",
            allowed=".parquet, .csv, .npz, or a folder that `cgdmer embed` wrote",
            fix="cgdmer embed PATHS --output embeddings.parquet",
        )
    try:
        stored = embeddings.read(path)
    except DataError as error:  # its remedy is for the pipeline's own folders
        raise DataError(error.problem, fix="write it again: cgdmer embed") from error
    _check_feature(path, feature, stored.features)

    def blocks() -> Iterator[Block]:
        for begin in range(0, len(stored.ids), BLOCK):
            part = slice(begin, begin + BLOCK)
            yield stored.ids[part], stored.features[feature][part]

    return stored.meta, blocks
