"""What a search for recordings leaves out, for its warnings."""

import logging

from cgdmer.errors import printable

log = logging.getLogger(__name__)

SHOWN = 3
"""Names that a warning quotes."""


class Skipped:
    """Links to folders, zips, and arrays without metadata, which a search of one folder or zip leaves out."""

    def __init__(self) -> None:
        self.links, self.zips, self.arrays = Names(), Names(), Names()

    def warn(self, path: str) -> None:
        """Log a warning for each kind, with what to do about it."""
        where = printable(path)
        if self.links.count:
            log.warning("%s: links to folders are not followed: %s; name those folders too", where, self.links)
        if self.zips.count:
            log.warning("%s: zips inside are not opened: %s; name each zip itself", where, self.zips)
        if count := self.arrays.count:
            log.warning("%s: %d .npy and .csv are skipped; pass --fs and --unit to read them", where, count)


class Names:
    """How many names there are, and the first of them."""

    def __init__(self) -> None:
        self.count = 0
        self._first: list[str] = []

    def add(self, name: str) -> None:
        self.count += 1
        if self.count <= SHOWN:
            self._first.append(printable(name))

    def __str__(self) -> str:
        more = f" and {self.count - SHOWN:,} more" if self.count > SHOWN else ""
        return f"{self.count:,} skipped ({', '.join(self._first)}{more})"
