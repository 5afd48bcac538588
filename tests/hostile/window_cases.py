"""Hostile windows, folders of sheets, and long recordings that are not what their headers state."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from hostile.cases import EMBED, ONE, SCORE, Case, Prepare, fifo, link
from support.clinical import edf_bytes

from cgdmer.signals import LEADS

MEASURE = ["measure", "in"]
LONG = 48 << 20
"""Bytes of a signal file that is read in parts; it is sparse and takes no space."""


def options() -> Iterator[Case]:
    numbers = ["0", "-1", "nan", "inf", "-inf", "1e308", "0.999", "86401", "1e-300", "text", "", "9" * 400]
    for name, words in {"embed": EMBED, "score": [*SCORE, *ONE], "measure": MEASURE}.items():
        for number in numbers:
            yield Case(f"windows of {name} every {number[:9]!r}", [*words, f"--every={number}"])
        yield Case(f"{name} a row per window without windows", [*words, "--windows"])
        yield Case(f"{name} windows beyond the end", [*words, "--every=5", "--start=1e6"])
        yield Case(f"{name} windows from nowhere", [*words, "--every=5", "--start=nan"])
    yield Case("fit --every", ["fit", "in", "in", "--every=5"])


def sheets() -> Iterator[Case]:
    targets = {
        "input": "in", "below the input": "in/sheets/../", "file": "in/r0.hea/x", "picture": "x.svg", "dash": "-",
        "dot": ".", "root": "/", "device": "/dev/null", "proc": "/proc/self/sheets", "long": "n" * 300, "empty": "",
        "dangling": "dangling", "foreign": "foreign", "pipe": "pipe",
    }  # fmt: skip

    def prepare(folder: Path) -> None:
        os.mkfifo(folder / "pipe")
        (folder / "dangling").symlink_to("nowhere")
        (folder / "foreign").mkdir()
        (folder / "foreign/notes.txt").write_text("mine")

    for name, target in targets.items():
        yield Case(f"plot a folder to {name}", ["plot", "in", f"--output={target}"], prepare)
    yield Case("plot a folder as gif", ["plot", "in", "--format=gif"])
    yield Case("plot an empty folder", ["plot", "empty"], lambda folder: (folder / "empty").mkdir())
    yield Case("plot a missing folder", ["plot", "nowhere/", "in2"])
    yield Case("plot a zip that is none", ["plot", "x.zip"], lambda folder: (folder / "x.zip").write_bytes(b"PK"))
    yield Case("plot a list of nothing", ["plot", "-"])
    yield Case("plot an endless list", ["plot", "-"], stdin=b"in/none.hea\n" * 200_000)


def long_files() -> Iterator[Case]:
    lying = {
        "that is all zero": _wfdb(f"12 500 {LONG // 24}"),
        "that ends before": _wfdb(f"12 500 {LONG // 24 + 1}"),
        "of a million million samples": _wfdb("12 500 999999999999"),
        "of too many windows": _wfdb("1 51 0", "80", LEADS[:1]),
        "without a signal file": lambda folder: (folder / "long.hea").write_text(_header("12 500 9999999")),
        "whose signal is a pipe": _both(_header("12 500 9999999"), fifo("long.dat")),
        "whose signal is endless": _both(_header("12 500 9999999"), link("long.dat", "/dev/zero")),
        "whose signal is elsewhere": _both(_header("12 500 0"), link("long.dat", "/etc/passwd")),
    }
    for name, prepare in lying.items():
        for words in (["embed", "long.hea", "--model", "MODEL", "--every=1"], ["plot", "long.hea", "--start=9e6"]):
            yield Case(f"{words[0]} a long record {name}", words, prepare)
    for name, changes in {
        "of too many records": {"records": "99999999"},
        "of no record": {"records": "-1"},
        "of flat limits": {"physical_min": "10"},
        "of a record that is too long": {"samples": "99999999"},
    }.items():
        prepare = _edf(**changes)
        yield Case(f"measure a long EDF {name}", ["measure", "long.edf", "--every=10"], prepare)


def _header(line: str, kind: str = "16", leads: Sequence[str] = LEADS) -> str:
    return f"long {line}\n" + "".join(f"long.dat {kind} 1000 16 0 0 0 0 {lead}\n" for lead in leads)


def _sparse(path: Path, head: bytes = b"") -> None:
    with path.open("wb") as stream:
        stream.write(head)
        stream.truncate(LONG)


def _wfdb(line: str, kind: str = "16", leads: Sequence[str] = LEADS) -> Prepare:
    def prepare(folder: Path) -> None:
        (folder / "long.hea").write_text(_header(line, kind, leads))
        _sparse(folder / "long.dat")

    return prepare


def _edf(**changes: str) -> Prepare:
    return lambda folder: _sparse(folder / "long.edf", edf_bytes(**changes)[: 256 * 13])


def _both(header: str, other: Prepare) -> Prepare:
    def prepare(folder: Path) -> None:
        (folder / "long.hea").write_text(header)
        other(folder)

    return prepare
