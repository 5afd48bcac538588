"""Hostile command lines for those who operate: monitor, serve, costs, pipeline, reproduce, attentive-probe and more."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from hostile.cases import Case, both, fifo, link
from hostile.project_cases import JSON, YAML, each, project

MONITOR = ["monitor", "in", "--model", "MODEL", "--reference", "many"]
ADDRESS = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}
"""Where no registry answers."""
PATHS = ("none", "", "/dev/zero", "/dev/null", "in/r0.hea/x", "x" * 5000, "loop", "pipe", "void", "a\nb", "s3://",
         os.fsdecode(b"\xe9"), "~nobody9/x")  # fmt: skip
NUMBERS = ("-1", "0", "nan", "inf", "1e308", "text", "", "9" * 400)
LINES = {
    "number": b"5\n", "list": b"[]\n", "other": b'{"mine": 1}\n', "null": b"null\n", "deep": b"[" * 100_000 + b"\n",
    "latin": b"\xe9\n", "digits": b"9" * 9000 + b"\n", "binary": bytes(range(256)),
    "types": b'{"when": 5, "records": "x", "rejected": null, "drifted": 7, "model": [], "findings": 1}\n',
}  # fmt: skip
"""Contents of a history or a ledger that is none."""


def many(folder: Path) -> None:
    """Make a reference of ten recordings."""
    for number in range(10):
        shutil.copytree(folder / "in", folder / f"many/{number}")


def monitors() -> Iterator[Case]:
    step = both(many, link("loop", "loop"), fifo("pipe"), lambda folder: (folder / "void").mkdir())
    for path in PATHS:
        yield Case(f"monitor {path[:12]!r}", ["monitor", path, *MONITOR[2:]], step)
        yield Case(f"monitor against {path[:12]!r}", [*MONITOR[:4], "--reference", path], step)
    for option in ("--records", "--hours", "--fs"):
        for number in NUMBERS:
            if option != "--hours" or number != "1e308":
                yield Case(f"monitor {option} {number[:9]!r}", [*MONITOR, f"{option}={number}"], many)
    for name in ("", ".", "..", "../x", "/", "a b", "x" * 61, "\x1b[2J", "a\n"):
        yield Case(f"monitor named {name[:9]!r}", [*MONITOR, f"--name={name}"], many)
    for model in ("", "champion", "none", "/dev/zero", "in", "models:/", "models:/x@y", "9" * 400, "./none", "a\nb"):
        yield Case(f"monitor with {model[:9]!r}", ["monitor", "in", "--reference", "many", f"--model={model}"], many)
    yield Case("monitor --unit kg", [*MONITOR, "--unit=kg"], many)
    yield Case("monitor against one recording", [*MONITOR[:4], "--reference", "in"], codes=(3,))
    yield Case("monitor without a reference", MONITOR[:4])
    yield Case("monitor on a full disk", MONITOR, many, full=True)
    for name, prepare in each(".cgdmer/monitoring/incoming/history.jsonl", LINES):
        yield Case(f"monitor after a history: {name}", MONITOR, both(many, prepare), codes=(0, 1, 2, 3, 7))
    for name, prepare in each("data/pretraining_set.json", JSON):
        yield Case(f"monitor, pretraining set: {name}", MONITOR[:4], both(project, prepare))


def servers() -> Iterator[Case]:
    """None of these may reach the server, which would not end."""
    for option in ("--port", "--max-mib"):
        for number in NUMBERS:
            words = ["serve", f"{option}={number}"]
            yield Case(f"serve {option} {number[:9]!r}", words, environment=ADDRESS, codes=(1, 2, 3, 69))
    for model in ("", "none", "/dev/zero", "in", "models:/", "models:/x@y", "runs:/x/y", "x" * 5000, "a\nb"):
        yield Case(f"serve {model[:9]!r}", ["serve", model], environment=ADDRESS, codes=(1, 2, 3, 69))


def ledgers() -> Iterator[Case]:
    cost = {"call": "x", "settings": "y", "ended": "z", "outcome": "finished", "wall_s": 1e308, "cpu_s": -1, "gpu_s": 0,
            "memory_bytes": 10**40, "read_bytes": 0, "written_bytes": 0}  # fmt: skip
    contents = LINES | {"stage": json.dumps(cost).encode(), "blank": json.dumps(cost | {"call": " "}).encode()}
    for name, prepare in each(".cgdmer/costs.jsonl", contents):
        for words in (["costs"], ["costs", "--calls"], ["costs", "--every"]):
            yield Case(f"{' '.join(words)}: {name}", words, both(project, prepare), codes=(0, 3))
    for name, prepare in each("dvc.yaml", YAML):
        yield Case(f"costs, dvc.yaml: {name}", ["costs"], both(project, prepare))


def pipelines() -> Iterator[Case]:
    for number in NUMBERS:
        yield Case(f"pipeline --jobs {number[:9]!r}", ["pipeline", f"--jobs={number}"], project)
    yield Case("pipeline outside a project", ["pipeline"])
    for name, prepare in each("dvc.yaml", YAML):
        yield Case(f"pipeline, dvc.yaml: {name}", ["pipeline"], both(project, prepare))


def projects() -> Iterator[Case]:
    for model in ("", "none", "models:/", "models:/x@y", "x" * 5000, "a\nb"):
        words = ["reproduce", model, "-o", "new"]
        yield Case(f"reproduce {model[:9]!r}", words, environment=ADDRESS, codes=(1, 2, 3, 69))
    for target in ("in", "in/r0.hea", "/dev/null", "", "x" * 300, "in/r0.hea/x"):
        words = ["reproduce", "-o", target]
        yield Case(f"reproduce to {target[:12]!r}", words, environment=ADDRESS, codes=(1, 2, 3, 69))
    for command in ("cross-validation", "attentive-probe"):
        yield Case(f"{command} outside a project", [command])
        yield Case(f"{command} without results", [command], project)
        for name, prepare in each("params.yaml", YAML):
            yield Case(f"{command}, params.yaml: {name}", [command], prepare)
        for name, prepare in each("data/pretraining_set.json", JSON):
            yield Case(f"{command}, pretraining set: {name}", [command], both(project, prepare))
    for option, values in {"--encoders": ("", ",", "none", "x" * 5000), "--tasks": ("", ",", "csm", "\n")}.items():
        for value in values:
            yield Case(f"attentive-probe {option} {value[:9]!r}", ["attentive-probe", f"{option}={value}"], project)
    for shell in ("", "tcsh", "x" * 5000, "bash zsh", "\n"):
        yield Case(f"completion {shell[:9]!r}", ["completion", shell])
