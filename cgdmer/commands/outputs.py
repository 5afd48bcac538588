"""Write rows batch by batch to Parquet, CSV or a folder of arrays; an output appears under its name when complete."""

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO, TypeAlias

import numpy as np

from cgdmer import embeddings
from cgdmer.errors import ConfigError
from cgdmer.files import atomic, sha256, with_digest, write_json
from cgdmer.recordings.discovery import Rejected, printable

Columns: TypeAlias = Mapping[str, Sequence[Any] | np.ndarray]
Writer: TypeAlias = Callable[[Columns], None]
"""Takes columns of equal length: `id`, other lists, and numeric arrays (B,) or (B, D)."""
COUNTED = 2048
"""Rejected recordings whose reasons are counted for the error message."""
KEY = "cgdmer"
"""Key of the JSON metadata in the schema of a Parquet file."""


@contextmanager
def open_output(path: Path, meta: dict[str, Any]) -> Iterator[Writer]:
    """Open an output by its suffix: `.parquet`, `.csv`, or a folder if there is none."""
    kinds = {".parquet": parquet, ".csv": table, "": folder}
    if path.suffix not in kinds:
        raise ConfigError(
            f"--output {path}: '{path.suffix}' is not an output format",
            allowed=".parquet, .csv, or a folder for .npy arrays",
        )
    if path.suffix and path.is_dir():
        raise ConfigError(
            f"--output {path} is a folder", allowed="the name of a file", fix=f"--output {path}/embeddings.parquet"
        )
    with kinds[path.suffix](path, meta) as write:
        yield write


@contextmanager
def parquet(path: Path, meta: dict[str, Any]) -> Iterator[Writer]:
    """Write one row group per batch; features are fixed-size lists of float32, metadata is JSON under `cgdmer`."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    with atomic(path) as temporary, ExitStack() as stack:
        writers: list[ParquetWriter] = []

        def write(columns: Columns) -> None:
            frame = pa.table({name: _arrow(values) for name, values in columns.items()})
            if not writers:
                schema = frame.schema.with_metadata({KEY: json.dumps(meta, sort_keys=True, ensure_ascii=False)})
                writers.append(stack.enter_context(ParquetWriter(temporary, schema, compression="zstd")))
            writers[0].write_table(frame.cast(writers[0].schema))

        yield write
        stack.close()


@contextmanager
def table(path: Path, meta: dict[str, Any]) -> Iterator[Writer]:
    """Write a CSV with one column per number, and its metadata as JSON beside it."""
    with atomic(path) as temporary:
        with temporary.open("w", encoding="utf-8", newline="") as stream:
            lines = csv.writer(stream, lineterminator="\n")
            header_written: list[bool] = []

            def write(columns: Columns) -> None:
                flat = dict(_flat(columns))
                if not header_written:
                    lines.writerow(flat)
                    header_written.append(True)
                lines.writerows(zip(*flat.values(), strict=True))

            yield write
        write_json(path.with_suffix(".json"), meta)


@contextmanager
def folder(path: Path, meta: dict[str, Any]) -> Iterator[Writer]:
    """Write the folder that `cgdmer.embeddings.read` reads: one array per representation, ids, and last `meta.json`."""
    if path.is_dir() and any(path.iterdir()) and not (path / embeddings.META).is_file():
        raise ConfigError(
            f"--output {path} holds other files", allowed="a new or empty folder, or one written by this command"
        )
    count, arrays = 0, {}
    with ExitStack() as stack:
        write_ids = stack.enter_context(parquet(path / embeddings.IDS, {}))

        def write(columns: Columns) -> None:
            nonlocal count
            for name, values in columns.items():
                if isinstance(values, np.ndarray) and values.ndim == 2:
                    if name not in arrays:
                        arrays[name] = stack.enter_context(_growing(path / f"{name}.npy", values.shape[1]))
                    arrays[name](values)
            write_ids({"id": columns["id"]})
            count += len(columns["id"])

        yield write
        (path / embeddings.META).unlink(missing_ok=True)
    names = sorted([embeddings.IDS, *(f"{name}.npy" for name in arrays)])
    files = {name: sha256(path / name) for name in names}
    content = {"meta": meta, "features": sorted(arrays), "records": count, "files": files}
    write_json(path / embeddings.META, with_digest(content))


@contextmanager
def _growing(path: Path, width: int) -> Iterator[Callable[[np.ndarray], None]]:
    """Write a float32 `.npy` whose number of rows is known only at the end; numpy's header leaves room for it."""
    with atomic(path) as temporary, temporary.open("wb") as stream:
        count = 0

        def header() -> None:
            shape = (count, width)
            np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": shape})

        def append(rows: np.ndarray) -> None:
            nonlocal count
            stream.write(np.ascontiguousarray(rows, "<f4").tobytes())
            count += len(rows)

        header()
        yield append
        stream.seek(0)
        header()


class Rejects:
    """A CSV of rejected paths and their reasons; it appears when the command ends, if there are any."""

    def __init__(self, path: Path) -> None:
        self.path, self.count, self.reasons = path, 0, Counter[str]()
        self._stack = ExitStack()
        self._stream: TextIO | None = None

    def __enter__(self) -> "Rejects":
        return self

    def add(self, rejected: Sequence[Rejected]) -> None:
        if rejected and self._stream is None:
            temporary = self._stack.enter_context(atomic(self.path))
            self._stream = self._stack.enter_context(temporary.open("w", encoding="utf-8", newline=""))
            csv.writer(self._stream, lineterminator="\n").writerow(("path", "reason"))
        if self._stream is not None:
            rows = [(each.id, printable(each.reason)) for each in rejected]
            csv.writer(self._stream, lineterminator="\n").writerows(rows)
        if self.count < COUNTED:
            self.reasons.update(each.reason for each in rejected)
        self.count += len(rejected)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Keep the list even if the command failed; remove the list of an earlier run if nothing was rejected."""
        if self._stream is None:
            self.path.unlink(missing_ok=True)
        self._stack.close()


def _arrow(values: Sequence[Any] | np.ndarray) -> Any:
    import pyarrow as pa

    if isinstance(values, np.ndarray) and values.ndim == 2:
        flat = pa.array(np.ascontiguousarray(values, np.float32).ravel())
        return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
    if isinstance(values, np.ndarray):
        return pa.array(values)
    kind = pa.list_(pa.string()) if values and isinstance(values[0], tuple) else None
    return pa.array(values, kind)


def _flat(columns: Columns) -> Iterator[tuple[str, Sequence[Any]]]:
    """Yield columns of single values: arrays as one column per dimension, lists joined by spaces."""
    for name, values in columns.items():
        if isinstance(values, np.ndarray) and values.ndim == 2:
            yield from ((f"{name}_{column}", values[:, column].tolist()) for column in range(values.shape[1]))
        elif isinstance(values, np.ndarray):
            yield name, values.tolist()
        else:
            yield name, [" ".join(value) if isinstance(value, tuple) else value for value in values]
