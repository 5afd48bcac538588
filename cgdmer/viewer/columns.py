"""The table of all scores and measurements as CSV."""

import csv
import io
from collections.abc import Iterator

from cgdmer.delineation.measurements import NAMES
from cgdmer.probing import reference
from cgdmer.viewer.catalogue import Catalogue, Entry

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""First characters that let a spreadsheet take a text for a formula."""


def table(catalogue: Catalogue) -> str:
    """Return one line per recording; a name that a spreadsheet would take for a formula begins with an apostrophe."""
    stream = io.StringIO(newline="")
    lines = csv.writer(stream, lineterminator="\n")
    columns, compared = list(catalogue.about.titles), catalogue.about.compared
    percentiles = [reference.column(column) for column in compared]
    lines.writerow(["recording", "seconds", "missing", "quality", *NAMES, *columns, *percentiles])
    lines.writerows(
        [
            *_cells(entry),
            *(f"{entry.scores[column]:.6g}" for column in columns),
            *(f"{entry.percentiles[column]:g}" for column in compared),
        ]
        for entry in catalogue.entries
    )
    return stream.getvalue()


def _cells(entry: Entry) -> Iterator[str]:
    yield f"'{entry.name}" if entry.name.startswith(_FORMULA) else entry.name
    yield from (f"{entry.seconds:g}", " ".join(entry.missing), entry.quality)
    for name in NAMES:
        found = entry.measurements.get(name)
        yield "" if found is None else f"{found:.6g}"
