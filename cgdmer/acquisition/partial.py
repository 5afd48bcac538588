"""A partially downloaded file: bytes on disk, and the validator and total length needed to resume it."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import requests

from cgdmer.acquisition.connection import TransientError
from cgdmer.files import sync


@dataclass(frozen=True)
class Partial:
    """`path` holds the bytes received so far; `<path>.json` holds the validator and the total length."""

    path: Path

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    def state(self) -> tuple[str, int | None]:
        """Return the validator ('' if there is none) and the total in bytes (None if unknown)."""
        try:
            content = json.loads(self._state_file.read_text(encoding="utf-8"))
            return str(content["tag"]), content["total"]
        except (OSError, ValueError, KeyError, TypeError):
            return "", None

    def restart(self, response: requests.Response) -> int | None:
        """Empty the file before a full response is written to it; return the total length if the server states it.

        A weak ETag does not promise equal bytes (RFC 9110, 8.8.1): Last-Modified is used instead, and a file that has
        neither is never resumed.
        """
        validator = response.headers.get("ETag", "")
        if not validator.startswith('"'):
            validator = response.headers.get("Last-Modified", "")
        length = response.headers.get("Content-Length", "")
        total = int(length) if length.isdigit() else None
        self.path.unlink(missing_ok=True)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._state_file.write_text(json.dumps({"tag": validator, "total": total}), encoding="utf-8")
        self.path.touch()
        return total

    def resume(self, response: requests.Response) -> int:
        """Return the total length that a partial response states.

        Raises TransientError, after deleting the file, if the response does not continue the bytes on disk.
        """
        unit, _, numbers = response.headers.get("Content-Range", "").partition(" ")
        span, _, total = numbers.partition("/")
        validator, _ = self.state()
        current = response.headers.get("ETag" if validator.startswith('"') else "Last-Modified", validator)
        starts_here = unit == "bytes" and span.split("-")[0] == str(self.size)
        if not starts_here or not total.isdigit() or current != validator:
            self.drop()
            raise TransientError("the server resumes another file or at another position")
        return int(total)

    def drop(self) -> None:
        self.path.unlink(missing_ok=True)
        self._state_file.unlink(missing_ok=True)

    def finish(self, target: Path) -> None:
        """Flush the complete file to disk and give it its final name."""
        target.parent.mkdir(parents=True, exist_ok=True)
        sync(self.path)
        os.replace(self.path, target)
        sync(target.parent)
        self._state_file.unlink(missing_ok=True)

    @property
    def _state_file(self) -> Path:
        return self.path.with_name(self.path.name + ".json")
