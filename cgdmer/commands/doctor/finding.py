"""The result of one check, and questions that several checks ask."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cgdmer import settings
from cgdmer.errors import CgdmerError

State = Literal["ok", "note", "bad"]
MARKS: dict[State, str] = {"ok": "ok   ", "note": "note ", "bad": "BAD  "}
FROM_ROOT = "run from the project's root"
PIPELINE = "pip install 'cgdmer[pipeline]'"
GB = 1e9


@dataclass(frozen=True)
class Finding:
    """The result of one check; only `bad` makes the command fail."""

    state: State
    fact: str
    fix: str = ""

    def __str__(self) -> str:
        text = f"{MARKS[self.state]} {self.fact}" + (f"\nto fix: {self.fix}" if self.fix else "")
        return text.replace("\n", "\n      ")


def existing(folder: Path) -> Path:
    """Return a folder, or the nearest one above it that exists."""
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())


def writable(folder: Path) -> bool:
    """Return True if this user can create a file in the folder."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def of_params(check: Callable[[settings.Settings], Iterator[Finding]]) -> Iterator[Finding]:
    """Check the settings of params.yaml; without valid ones there is nothing to say, because `configuration` does."""
    try:
        chosen = settings.load()
    except CgdmerError:
        return
    yield from check(chosen)
