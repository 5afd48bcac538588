"""Hostile options, outputs, lists and paths."""

import os
from collections.abc import Iterator
from pathlib import Path

from hostile.cases import EMBED, ONE, PLOT, SCORE, Case


def options() -> Iterator[Case]:
    numbers = ["1e308", "-1", "0", "nan", "inf", "-inf", "text", "", "9" * 400]
    for option in ("--seconds", "--start", "--fs"):
        for number in numbers:
            if (option, number) == ("--start", "0"):
                continue
            yield Case(f"embed {option} {number[:9]!r}", [*EMBED, f"{option}={number}"])
            yield Case(f"plot {option} {number[:9]!r}", [*PLOT, f"{option}={number}"])
    for option, values in {
        "--unit": ["", "mmHg", "m" * 5000, "\n", "mV;rm"],
        "--leads": ["Q", "I,I", ",", "I," * 9000, "<b>"],
        "--classes": ["", ",", "AFIBB", "x" * 9000, "NORM,,"],
        "--probe": [
            "",
            "cpsc",
            "none.probe.safetensors",
            "/dev/zero",
            "/dev/null.probe.safetensors",
            "in",
            "../../etc/passwd",
        ],
        "--representation": ["", "poled", "aligned/", "\n"],
        "--model": ["", "none", "/dev/zero", "/dev/null", "in", "models:/", "in/r0.hea"],
    }.items():
        for value in values:
            command = SCORE if option in ("--classes", "--probe", "--representation") else EMBED
            yield Case(f"{option} {value[:12]!r}", [*command, f"{option}={value}"])
    yield Case("two probes of one file", [*SCORE, "--probe=x.probe.safetensors", "--probe=x.probe.safetensors"])
    yield Case("no paths", ["embed", "--model", "MODEL"])
    for command in ("embed", "score", "plot", "run", "check", "profile", "replay", "convert", "none", "--none", ""):
        yield Case(f"bare {command!r}", [command])


def outputs() -> Iterator[Case]:
    targets = {
        "empty": "",
        "blank": " ",
        "dot": ".",
        "dash": "-",
        "root": "/",
        "above": "..",
        "long": "n" * 300,
        "below a file": "in/r0.hea/x",
        "input": "in/r0.hea",
        "device": "/dev/null",
        "full": "/dev/full",
        "proc": "/proc/self/x",
        "suffix": "x.docx",
        "pipe": "pipe",
        "folder": "folder",
        "dangling": "dangling",
        "foreign": "foreign",
    }

    def prepare(folder: Path) -> None:
        for suffix in (".csv", ".parquet", ".svg", ".png"):
            os.mkfifo(folder / f"pipe{suffix}")
            (folder / f"folder{suffix}").mkdir()
            (folder / f"dangling{suffix}").symlink_to("nowhere")
            (folder / f"foreign{suffix}").write_text("mine")

    for command, suffixes in {"embed": (".parquet", ".csv"), "score": (".csv",), "plot": (".svg", ".png")}.items():
        words = {"embed": EMBED, "score": [*SCORE, *ONE], "plot": PLOT}[command]
        for suffix in suffixes:
            for name, target in targets.items():
                named = (
                    target + suffix
                    if name in ("long", "below a file", "proc", "pipe", "folder", "dangling", "foreign")
                    else target
                )
                yield Case(f"{command} to {name} {suffix}", [*words, f"--output={named}"], prepare)


def lists() -> Iterator[Case]:
    contents = {
        "empty": b"",
        "lines": b"\n" * 5_000_000,
        "nul": b"\0" * 5_000_000,
        "long": b"x" * 200_000,
        "absent": b"none.hea\n" * 5000,
        "many absent": b"".join(b"n%d.hea\n" % n for n in range(3000)),
        "binary": bytes(range(1, 256)) * 40,
        "nul in a name": b"in/r\x01.hea\n" + b"x" * 70_000 + b"\0.hea\n",
        "latin": b"in/\xe9.hea\n",
        "terminal": b"\x1b[2J.hea\n",
        "dots": b"../../../../etc/passwd\n",
        "itself": b"-\n",
        "option": b"--overwrite\n",
    }
    for name, content in contents.items():
        yield Case(f"list {name}", ["embed", "-", "--model", "MODEL"], stdin=content)


def paths() -> Iterator[Case]:
    names: dict[str, str] = {
        "absent": "none",
        "empty": "",
        "nul device": "/dev/null",
        "endless device": "/dev/zero",
        "memory": "/proc/self/mem",
        "long": "x" * 5000,
        "deep": "d/" * 3000 + "x.hea",
        "latin": os.fsdecode(b"\xe9.hea"),
        "suffix": "x.docx",
        "folder as a file": "folder.hea",
        "pipe": "pipe.edf",
        "pipe as zip": "pipe.zip",
        "dangling": "dangling.hea",
        "loop": "loop.hea",
        "empty folder": "void",
        "url": "https://example.org/x.edf",
    }

    def prepare(folder: Path) -> None:
        (folder / "folder.hea").mkdir()
        (folder / "void").mkdir()
        (folder / "dangling.hea").symlink_to("nowhere")
        (folder / "loop.hea").symlink_to("loop.hea")
        for name in ("pipe.edf", "pipe.zip"):
            os.mkfifo(folder / name)

    for name, path in names.items():
        yield Case(f"embed {name}", ["embed", path, "--model", "MODEL"], prepare)
        yield Case(f"score {name}", ["score", path, "--model", "MODEL"], prepare)
        yield Case(f"plot {name}", ["plot", path], prepare)
