"""Write rows batch by batch to Parquet, CSV or a folder of arrays; an output appears under its name when complete."""

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO, TypeAlias

import numpy as np

from cgdmer import embeddings
from cgdmer.commands import marks, spreadsheet
from cgdmer.commands.destinations import KEY, metadata_beside, written_here
from cgdmer.errors import ConfigError, DataError, printable
from cgdmer.files import atomic, sha256, with_digest, write_json
from cgdmer.recordings.discovery import SUFFIXES, Rejected
from cgdmer.recordings.skipped import REJECTS_HEADER

Columns: TypeAlias = Mapping[str, Sequence[Any] | np.ndarray]
Writer: TypeAlias = Callable[[Columns], None]
"""Takes columns of equal length: `id`, other lists, and numeric arrays (B,) or (B, D)."""
COUNTED = 2048
"""Rejected recordings whose reasons are counted for the error message."""
SOME_REJECTED = 6
"""Exit code if some recordings were rejected and the others were written."""
ALL_FORMATS = (".parquet", ".csv", "")
"""Suffixes of outputs; without one, the output is a folder."""


@contextmanager
def open_output(path: Path, meta: dict[str, Any]) -> Iterator[Writer]:
    """Open an output by its suffix: `.parquet`, `.csv`, `.xlsx`, or a folder without one; `claim` has allowed it."""
    kinds = {".parquet": parquet, ".csv": table, ".xlsx": workbook, "": folder}
    with kinds[path.suffix](path, meta) as write:
        yield write


def check_format(path: Path, allowed: Sequence[str] = ALL_FORMATS) -> None:
    """Raise ConfigError if an output has none of the allowed suffixes."""
    if path.suffix not in allowed:
        names = [suffix or "a folder for .npy arrays" for suffix in allowed]
        raise ConfigError(
            f"--output {printable(str(path))}: '{printable(path.suffix)}' is not an output format",
            allowed=", ".join(names[:-1]) + f" or {names[-1]}",
        )


@contextmanager
def parquet(path: Path, meta: dict[str, Any]) -> Iterator[Writer]:
    """Write one row group per batch; features are fixed-size lists of float32, metadata is JSON under `cgdmer`."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    with atomic(path) as temporary, temporary.open("wb") as stream, ExitStack() as stack:
        writers: list[ParquetWriter] = []
        sinks: list[marks.Hashed] = []

        def write(columns: Columns) -> None:
            frame = pa.table({name: _arrow(values) for name, values in columns.items()})
            if not writers:
                schema = frame.schema.with_metadata({KEY: json.dumps(meta, sort_keys=True, ensure_ascii=False)})
                sinks.append(marks.Hashed(stream, schema.names))
                sink = pa.PythonFile(sinks[0], mode="w")
                writers.append(stack.enter_context(ParquetWriter(sink, schema, compression="zstd")))
            writers[0].write_table(frame.cast(writers[0].schema))

        yield write
        for writer, sink in zip(writers, sinks, strict=True):
            writer.add_key_value_metadata({marks.PARQUET_KEY: sink.digest()})
        stack.close()


@contextmanager
def table(path: Path, meta: dict[str, Any]) -> Iterator[Writer]:
    """Write a CSV with one column per number, and its metadata as JSON beside it, with the sha256 of the table."""
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
        write_json(metadata_beside(path), {**meta, "table_sha256": sha256(temporary)})


@contextmanager
def workbook(path: Path, meta: dict[str, Any]) -> Iterator[Writer]:
    """Write a workbook with one column per number under readable titles, and its metadata in a second sheet."""
    from cgdmer.commands.column_labels import label

    with spreadsheet.workbook(path, meta, label) as write:
        yield lambda columns: write(dict(_flat(columns)))


@contextmanager
def folder(path: Path, meta: dict[str, Any]) -> Iterator[Writer]:
    """Write the folder that `cgdmer.embeddings.read` reads: one array per representation, ids, and last `meta.json`.

    After a failure, an empty folder goes.
    """
    count, arrays = 0, {}
    with ExitStack() as stack:
        stack.callback(_remove_if_empty, path)
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


def _remove_if_empty(path: Path) -> None:
    with suppress(OSError):
        path.rmdir()


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
            csv.writer(self._stream, lineterminator="\n").writerow(REJECTS_HEADER)
        if self._stream is not None:
            rows = [(printable(each.id), printable(each.reason)) for each in rejected]
            csv.writer(self._stream, lineterminator="\n").writerows(rows)
        if self.count < COUNTED:
            self.reasons.update(each.reason for each in rejected)
        self.count += len(rejected)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Keep the list even if the command failed; remove the list of an earlier run if nothing was rejected.

        A command that is stopped, by Ctrl-C or a signal, leaves the lists as they were.
        """
        if kind is not None and not issubclass(kind, Exception):
            self._stack.__exit__(kind, error, at)
            return
        if self._stream is None and written_here(self.path):
            self.path.unlink()
        self._stack.close()


def nothing_written(paths: Sequence[str], rejects: Rejects, which: str) -> DataError:
    """Return the error of a command that could use no recording of `paths`: why, or that there is none."""
    if not rejects.count:
        return DataError(
            f"no recording was found in {', '.join(map(printable, paths[:3]))}",
            allowed=f"{', '.join(SUFFIXES)}; folders, zips, or - for a list of paths",
            fix="for arrays, pass --fs, --unit and --leads, or write a .json beside each",
        )
    reasons = "; ".join(f"{printable(reason)} ({count})" for reason, count in rejects.reasons.most_common(3))
    return DataError(
        f"{which} could not be used; nothing is written. Most frequent reasons: {reasons}", fix=f"see {rejects.path}"
    )


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
