"""A hostile command line, and how the files that it meets are made."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

Prepare = Callable[[Path], object]


@dataclass(frozen=True)
class Case:
    """One command line in its own folder, which holds a good recording `in/r0.hea`; MODEL stands for a good encoder."""

    name: str
    words: list[str]
    prepare: Prepare = lambda _: None
    stdin: bytes = b""
    codes: tuple[int, ...] = (1, 2, 3, 6)
    environment: dict[str, str] = field(default_factory=dict)
    full: bool = False
    """Whether no byte can be written to any disk."""
    says: str = ""
    """Words that the output must hold."""


def write(name: str, content: bytes) -> Prepare:
    def prepare(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)

    return prepare


def fifo(name: str) -> Prepare:
    def prepare(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(folder / name)

    return prepare


def link(name: str, target: str) -> Prepare:
    def prepare(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(target)

    return prepare


def both(*steps: Prepare) -> Prepare:
    """Return what takes several steps one after the other."""

    def prepare(folder: Path) -> None:
        for step in steps:
            step(folder)

    return prepare


EMBED, SCORE, PLOT = ["embed", "in", "--model", "MODEL"], ["score", "in", "--model", "MODEL"], ["plot", "in/r0.hea"]
ONE = ["--classes", "NORM"]
