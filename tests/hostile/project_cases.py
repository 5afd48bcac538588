"""Hostile projects: environment variables, profiles, settings and results that are damaged or of the wrong type."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

from hostile.cases import Case, Prepare, both, fifo, link, write

ROOT = Path(__file__).resolve().parents[2]
DEMO = (ROOT / "params/demo.yaml").read_bytes()
NINE = ",".join(["*a{0}"] * 9)
BOMB = "".join([f"a{n}: &a{n} [{NINE.format(n - 1)}]\n" for n in range(1, 12)])
YAML = {
    "empty": b"", "list": b"[]", "number": b"5", "text": b"x", "utf-16": "train: {}".encode("utf-16"), "nul": b"\0",
    "binary": bytes(range(256)), "bomb": f"a0: &a0 [x]\n{BOMB}".encode(), "itself": b"train: &a [*a]",
    "code": b"train: !!python/object/apply:os.system ['touch x']", "nested": b"[" * 50_000, "cut": b"train: {",
    "section": b"train: 5", "list section": b"train: [1]", "numbers as keys": b"1: {2: 3}", "null": b"train:",
    "digits": b"train: {epochs: " + b"9" * 9000 + b"}", "infinity": b"train: {lr: .inf}",
    "no number": b"train: {lr: .nan}", "date": b"train: {lr: 2020-01-01}", "set": b"train: !!set {a}",
    "large": b"a: b\n" * 90_000,
}  # fmt: skip
"""Contents of a YAML file that is no profile."""
JSON = {
    "empty": b"", "text": b"damaged", "null": b"null", "number": b"5", "list": b"[]", "object": b"{}",
    "cut": b'{"auroc": {', "utf-16": "{}".encode("utf-16"), "nul": b"\0" * 90, "nested": b"[" * 100_000,
    "latin": b'{"auroc": "\xe9"}',
    "digits": b'{"auroc": ' + b"9" * 9000 + b"}", "binary": bytes(range(256)),
}  # fmt: skip
"""Contents of a JSON file that holds no results."""


def project(folder: Path) -> None:
    """Write the settings of the demo."""
    both(write("params.yaml", DEMO), write("params/demo.yaml", DEMO))(folder)


def each(path: str, contents: dict[str, bytes]) -> Iterator[tuple[str, Prepare]]:
    """Yield a name and a step for each content of a file, and for a pipe, a device, links and a folder in its place."""
    for name, content in contents.items():
        yield name, write(path, content)
    yield "pipe", fifo(path)
    yield "device", link(path, "/dev/zero")
    yield "loop", link(path, Path(path).name)
    yield "dangling", link(path, "nowhere")
    yield "folder", lambda folder: (folder / path).mkdir(parents=True)


FOLDERS = {
    "absent": "none", "newline": "a\nb", "file": "in/r0.hea", "device": "/dev/zero", "long": "x" * 5000, "loop": "loop",
    "pipe": "pipe", "unknown user": "~nobody9/x", "latin": os.fsdecode(b"\xe9"),
}  # fmt: skip
NUMBERS = {
    "zero": "0", "negative": "-1", "text": "many", "power": "\u00b2", "digits": "9" * 5000, "blank": " ",
    "decimal": "1.5", "newline": "1\n",
}  # fmt: skip
DEVICES = {
    "unknown": "gpu", "negative": "cuda:-1", "absent": "cuda:99", "blank": " ", "long": "x" * 9000,
    "digits": "cuda:" + "9" * 5000, "arabic": "cuda:\u0663", "newline": "cpu\n",
}  # fmt: skip
VALUES = {
    "CGDMER_RAW_ROOT": FOLDERS, "CGDMER_PROTOCOL_ROOT": FOLDERS, "CGDMER_DEVICE": DEVICES, "CGDMER_DEVICES": NUMBERS,
    "CGDMER_WORKERS": NUMBERS, "CGDMER_TRACKING": {"text": "maybe", "blank": " ", "number": "1"},
}  # fmt: skip


def variables() -> Iterator[Case]:
    prepare = both(project, link("loop", "loop"), fifo("pipe"))
    commands = {
        "CGDMER_RAW_ROOT": (["external-validation"], ["check", "csn"], ["profile", "local"]),
        "CGDMER_DEVICE": (["embed", "in", "--model", "MODEL"],),
    }
    local = both(prepare, write("params/local.yaml", b"corpora: {csn: {way: local}}"))
    for variable, contents in VALUES.items():
        for name, value in contents.items():
            for words in (["doctor"], *commands.get(variable, ())):
                yield Case(f"{words[0]} {variable} {name}", words, local, environment={variable: value})


def profiles() -> Iterator[Case]:
    for name, step in each("params/odd.yaml", YAML):
        accepted = name in ("empty", "null")
        yield Case(f"profile {name}", ["profile", "odd"], both(project, step), codes=(0, 2, 3) if accepted else (2, 3))
    for name, step in each("params.yaml", YAML):
        yield Case(f"profile over {name}", ["profile", "demo"], both(write("params/demo.yaml", DEMO), step))
        yield Case(f"train-encoder beside {name}", ["train-encoder"], both(write("params/demo.yaml", DEMO), step))
    for name, step in each("params/demo.yaml", YAML):
        yield Case(f"profile without demo {name}", ["profile", "demo"], both(write("params.yaml", DEMO), step))
        yield Case(f"train-encoder without demo {name}", ["train-encoder"], step)
    for name, step in each("params/encoder.yaml", YAML):
        yield Case(f"train-encoder {name}", ["train-encoder"], both(project, step))
    for name in ("", ".", "..", "/", "../params", "demo.yaml", "x" * 5000, "a\nb", "*", "demo/", "\x1b[2J"):
        yield Case(f"profile named {name[:9]!r}", ["profile", name], project)
        yield Case(f"doctor of a profile named {name[:9]!r}", ["doctor", "--profile", name], project)
    bomb = ", ".join([f"a{n}: &a{n} [{NINE.format(n - 1)}]" for n in range(1, 12)])
    lines = {"bomb": f"{{a0: &a0 [x], {bomb}}}", "code": "!!python/object/apply:os.system ['touch x']", "cut": "{a: [",
             "list": "[1]", "text": "x", "nested": "[" * 50_000, "itself": "&a {a: *a}",
             "unknown": "{trian: {epochs: 1}}", "section": "{train: 5}"}  # fmt: skip
    for name, line in lines.items():
        text = f"# Adapted to this machine: {line}\n".encode() + DEMO
        step = both(project, write("params.yaml", text), write("params/quick.yaml", b"train: {epochs: 1}"))
        yield Case(f"profile adapted {name}", ["profile", "quick"], step, codes=(0, 2, 3))
    yield Case(
        "profile on a full disk",
        ["profile", "quick"],
        both(project, write("params/quick.yaml", b"train: {epochs: 1}")),
        full=True,
    )
    yield Case(
        "profile without corpora",
        ["profile", "odd"],
        both(project, write("params/odd.yaml", b"matrix: {sources: [], benchmarks: []}")),
    )
    yield Case(
        "profile without pretraining",
        ["profile", "odd"],
        both(project, write("params/odd.yaml", b"pretraining_set: {sources: []}")),
    )
    simulated = write("params/odd.yaml", b"pretraining_set: {sources: [], simulated: {records: 64}}")
    yield Case("profile of simulated records", ["profile", "odd"], both(project, simulated), says="train-encoder")


def tables() -> Iterator[Case]:
    for name, step in each("reports/metrics.json", JSON):
        yield Case(f"table {name}", ["table"], step)
        yield Case(f"publish {name}", ["publish"], both(project, write("dvc.lock", b"schema: '2.0'\n"), step))
        codes = (0,) if name in ("loop", "dangling") else (1, 3)  # without metrics, the card states none
        yield Case(f"export beside {name}", ["export", "MODEL", "-o", "out"], step, codes=codes)
    good = json.loads((ROOT / "reports/metrics.json").read_text())
    wrong = {"auroc text": {"auroc": "x"}, "auroc list": {"auroc": []}, "auroc numbers": {"auroc": {"ptb_xl_super": 5}},
             "auroc null": {"auroc": None}, "zero-shot": {"zero_shot": [5]},
             "other tasks": {"auroc": {"x" * 5000: {}}}}  # fmt: skip
    for name, change in wrong.items():
        content = json.dumps(good | change).encode()
        yield Case(f"table of {name}", ["table"], write("reports/metrics.json", content), codes=(0, 3))
        yield Case(f"export beside metrics of {name}", ["export", "MODEL", "-o", "out"],
                   write("reports/metrics.json", content), codes=(0, 3))  # fmt: skip


def checks() -> Iterator[Case]:
    files = {"raw": "data/raw/csn/manifest.json", "shards": "data/shards/csn/manifest.json",
             "validation": "reports/validation/csn/result.json"}  # fmt: skip
    for kind, path in files.items():
        for name, step in each(path, JSON):
            yield Case(f"check {kind} {name}", ["check", "csn"], both(project, step))
            if kind == "validation":
                yield Case(f"check --failed {kind} {name}", ["check", "csn", "--failed", "x"], both(project, step))
    for name, step in each("data/index/csn.parquet", JSON | {"magic": b"PAR1" + bytes(90) + b"PAR1"}):
        yield Case(f"check index {name}", ["check", "csn"], both(project, step))
    for name in ("dvc.lock", "dvc.yaml"):
        other = write("dvc.yaml" if name == "dvc.lock" else "dvc.lock", b"schema: '2.0'\n")
        step = both(project, write("data/raw/csn/manifest.json", b'{"way": "simulate", "files": 1, "bytes": 2}'), other)
        yield Case(f"check beside a damaged {name}", ["check", "csn"], both(step, write(name, b"\0[")))
    for source in ("", "none", "../csn", "csn\n", "x" * 5000, "*", "__init__", "metadata"):
        yield Case(f"check source {source[:9]!r}", ["check", source], project)
