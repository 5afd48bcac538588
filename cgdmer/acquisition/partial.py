"""Owns a file on its way: how much of it is here, by what its rest can be asked for, and its final name."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import requests

from cgdmer.acquisition.connection import Again
from cgdmer.files import sync


@dataclass(frozen=True)
class Partial:
    """`path` holds the bytes so far; beside it, `.json` holds the validator and the length of the whole."""

    path: Path

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    def note(self) -> tuple[str, int | None]:
        """Return the validator, '' where there is none, and the total in bytes, None where it is not known."""
        try:
            content = json.loads(self._note.read_text(encoding="utf-8"))
            return str(content["tag"]), content["total"]
        except (OSError, ValueError, KeyError, TypeError):
            return "", None

    def restart(self, response: requests.Response) -> int | None:
        """Empty the file for a whole answer; return its length where the server tells.

        A weak ETag does not promise equal bytes (RFC 9110, 8.8.1): then the date counts, and without one the file is
        never resumed.
        """
        tag = response.headers.get("ETag", "")
        if not tag.startswith('"'):
            tag = response.headers.get("Last-Modified", "")
        length = response.headers.get("Content-Length", "")
        total = int(length) if length.isdigit() else None
        self.path.unlink(missing_ok=True)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._note.write_text(json.dumps({"tag": tag, "total": total}), encoding="utf-8")
        self.path.touch()
        return total

    def resume(self, response: requests.Response) -> int:
        """Return the total that a partial answer names; Again, from zero, when it is not the rest of what is here."""
        unit, _, numbers = response.headers.get("Content-Range", "").partition(" ")
        span, _, total = numbers.partition("/")
        tag, _ = self.note()
        now = response.headers.get("ETag" if tag.startswith('"') else "Last-Modified", tag)
        if unit != "bytes" or span.split("-")[0] != str(self.size) or not total.isdigit() or now != tag:
            self.drop()
            raise Again("the server goes on with another file, or at another place")
        return int(total)

    def drop(self) -> None:
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def finish(self, target: Path) -> None:
        """Force the complete file to the disk and give it its final name."""
        target.parent.mkdir(parents=True, exist_ok=True)
        sync(self.path)
        os.replace(self.path, target)
        sync(target.parent)
        self._note.unlink(missing_ok=True)

    @property
    def _note(self) -> Path:
        return self.path.with_name(self.path.name + ".json")
