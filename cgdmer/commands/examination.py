"""Examine recordings for pages: encode, score, measure and draw each, in the workers that decode it."""

import logging
import os
import re
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from cgdmer.commands import measure
from cgdmer.commands.encoding import Encoded, encoding
from cgdmer.commands.scorer import Scorer
from cgdmer.errors import ConfigError, DataError, printable
from cgdmer.progress import terminal_bar
from cgdmer.recordings import ArrayMetadata, RecordingPath, find_recordings, limits, sheet
from cgdmer.recordings.batches import Job, map_batches
from cgdmer.recordings.discovery import Rejected
from cgdmer.recordings.single import as_recorded
from cgdmer.viewer.catalogue import Entry, Refused

log = logging.getLogger(__name__)

MOST = 5000
"""Recordings that one list of a page holds."""
SECONDS = 10.0
"""Seconds of each recording that are measured and drawn."""
COMPARED = "shared"
"""The representation by which recordings are compared, as in `cgdmer similar`."""
_FOLDERS = re.compile(r"(?<![\w.])(?:/[^/\s'\"]+)+/")
"""The folders of an absolute path, for example of temporary files, in the message of another library."""


@dataclass(frozen=True)
class Inputs:
    """Which recordings to examine, from which second on, and the metadata of arrays among them."""

    paths: Sequence[str]
    metadata: ArrayMetadata
    start: float = 0.0


@dataclass(frozen=True)
class Sheet:
    """A drawing as SVG, or why there is none."""

    svg: str | None
    why: str = ""


@dataclass(frozen=True, eq=False)
class Seen:
    """One recording, where it is, and its drawing if one was asked for."""

    entry: Entry
    path: RecordingPath
    sheet: Sheet


@dataclass(frozen=True, eq=False)
class _Batch:
    """What a worker has made of a job."""

    encoded: Any
    measured: measure.Measured
    paths: dict[str, RecordingPath]
    sheets: dict[str, Sheet]


def find(inputs: Inputs, output: Path | None = None) -> list[RecordingPath | Rejected]:
    """Return the recordings outside the folder `output`, where an earlier report may be.

    ConfigError if they are more than a page holds, DataError if there is none.
    """
    recordings = find_recordings(inputs.paths, inputs.metadata, sys.stdin.buffer)
    found = list(islice((one for one in recordings if not (output and _is_below(one, output))), MOST + 1))
    if len(found) > MOST:
        raise ConfigError(
            f"there are more than {MOST:,} recordings", allowed=f"at most {MOST:,}", fix="name some of the folders"
        )
    if not found:
        raise DataError(
            f"no recording was found in {', '.join(map(printable, inputs.paths[:3]))}",
            fix="see the formats in docs/own_recordings.md; for arrays, pass --fs, --unit and --leads",
        )
    return found


def _is_below(one: RecordingPath | Rejected, folder: Path) -> bool:
    below = os.path.realpath(folder) + "/"
    return isinstance(one, RecordingPath) and os.path.join(one.root, one.member).startswith(below)


def examine(
    found: Sequence[RecordingPath | Rejected], inputs: Inputs, scorer: Scorer, *, label: str, draw: bool
) -> Generator[Seen | Refused, None, None]:
    """Yield each recording, or why it is refused, in order; `label` names the work on the terminal."""
    names = Names(found)
    measurements = scorer.own.read_measurements
    bar = terminal_bar(total=len(found), unit="record", desc=label)
    with encoding(scorer.encoder, measurements=measurements) as (work, finish), bar:
        both = partial(_examine_batch, work=work, draw=draw)
        settings = (inputs.metadata, scorer.encoder.form, scorer.encoder.seconds)
        with closing(map_batches(found, *settings, both, inputs.start)) as results:
            for batch in results:
                encoded = finish(batch.encoded)
                yield from (Refused(names.of_rejected(each), names.clean(each.reason)) for each in encoded.rejected)
                yield from _seen(batch, encoded, scorer, names)
                bar.update(len(encoded.ids) + len(encoded.rejected))


def _examine_batch(job: Job, work: Callable[[Job], Any], draw: bool) -> _Batch:
    """Encode, measure and draw the recordings of a job, in a worker."""
    encoded, paths = work(job), {path.id: path for path in job.paths if isinstance(path, RecordingPath)}
    sheets = {name: draw_sheet(paths[name], job.metadata, job.start) for name in encoded.ids} if draw else {}
    measured = measure.measure_batch(
        replace(job, paths=tuple(paths[name] for name in encoded.ids), form=measure.FORM, seconds=SECONDS)
    )
    return _Batch(encoded, measured, paths, sheets)


def draw_sheet(path: RecordingPath, metadata: ArrayMetadata, start: float) -> Sheet:
    """Draw a recording within the limits of one file; nothing that it holds raises an error."""
    try:
        with limits.per_file():
            recording = as_recorded(path, metadata, start, SECONDS)
            return Sheet(sheet.draw(printable(os.path.basename(path.member)), recording, start, SECONDS))
    except DataError as error:
        return Sheet(None, error.problem)
    except Exception as error:  # a bug that one file triggers must not stop the other files
        log.error("drawing a recording failed with %s", type(error).__name__)
        return Sheet(None, type(error).__name__)


def _seen(batch: _Batch, encoded: Encoded, scorer: Scorer, names: "Names") -> Iterator[Seen]:
    if not encoded.ids:
        return
    scores = {name: np.asarray(values) for name, values in scorer.columns(encoded.features).items()}
    percentiles = scorer.references.by_column(scores)
    compared = encoded.features[COMPARED if COMPARED in encoded.features else min(encoded.features)]
    measured = dict(zip(batch.measured.ids, batch.measured.values, strict=True))
    for row, name in enumerate(encoded.ids):
        path = batch.paths[name]
        entry = Entry(
            names.of(path),
            float(encoded.valid[row]) / scorer.encoder.fs,
            encoded.missing[row],
            encoded.quality[row],
            {column: float(values[row]) for column, values in scores.items()},
            measured.get(name, {}),
            compared[row],
            {column: float(values[row]) for column, values in percentiles.items()},
        )
        yield Seen(entry, path, batch.sheets.get(name, Sheet(None)))


class Names:
    """What pages call recordings: their paths below the folders that were named, never the place of these folders."""

    def __init__(self, found: Sequence[RecordingPath | Rejected]) -> None:
        paths = [each for each in found if isinstance(each, RecordingPath)]
        self._roots = list(dict.fromkeys(path.root for path in paths))
        self._prefixes = dict.fromkeys(self._roots, "") if len(self._roots) == 1 else self._distinct()
        self._by_id = {path.id: self.of(path) for path in paths}

    def of(self, path: RecordingPath) -> str:
        return printable(self._prefixes[path.root] + path.member)

    def of_rejected(self, rejected: Rejected) -> str:
        return self._by_id.get(rejected.id) or os.path.basename(rejected.id.rstrip("/")) or "/"

    def clean(self, reason: str) -> str:
        """Return a reason in which no folder is named by its whole path."""
        for root in sorted(map(printable, self._roots), key=len, reverse=True):
            reason = reason.replace(f"{root.rstrip('/')}/", "")
        return _FOLDERS.sub("", printable(reason))

    def _distinct(self) -> dict[str, str]:
        """Return a prefix for each folder: its own name, with a number where several have the same."""
        prefixes, seen = {}, dict[str, int]()
        for root in self._roots:
            name = os.path.basename(root.rstrip("/"))
            seen[name] = seen.get(name, 0) + 1
            prefixes[root] = f"{name}/" if seen[name] == 1 else f"{name} ({seen[name]})/"
        return prefixes
