"""Hostile prompts, models, probes, settings and checkpoints."""

import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

from hostile.cases import SCORE, Case, Prepare, fifo, link, write
from support import example_recordings as example


def prompts() -> Iterator[Case]:
    contents = {
        "empty": b"",
        "text": b"atrial fibrillation",
        "list": b"[]",
        "number": b"5",
        "no prompts": b"{}",
        "empty prompts": b'{"prompts": {}}',
        "list as prompts": b'{"prompts": ["x"]}',
        "number as text": b'{"prompts": {"a": 5}}',
        "list as text": b'{"prompts": {"a": ["x"]}}',
        "empty text": b'{"prompts": {"a": ""}}',
        "blank text": b'{"prompts": {"a": "  "}}',
        "blank name": b'{"prompts": {" ": "x"}}',
        "nested": b"[" * 100_000,
        "surrogate": b'{"prompts": {"a": "\\ud800"}}',
        "surrogate name": b'{"prompts": {"\\ud800": "x"}}',
        "control": b'{"prompts": {"a\\nb": "x"}}',
        "nul": b"\0" * 50,
        "utf-16": '{"a": "x"}'.encode("utf-16"),
        "latin": b'{"a": "\xe9"}',
        "cut": b'{"prompts": {"a"',
        "many": json.dumps({f"c{n}": "x" for n in range(20_000)}).encode(),
        "large": b'{"a": "' + b"x" * (5 << 20) + b'"}',
        "digits": b'{"a": ' + b"9" * 9000 + b"}",
    }
    for name, content in contents.items():
        yield Case(f"prompts {name}", [*SCORE, "--prompts=p.json"], write("p.json", content))
    yield Case("prompts absent", [*SCORE, "--prompts=none.json"])
    yield Case("prompts empty name", [*SCORE, "--prompts="])
    yield Case("prompts folder", [*SCORE, "--prompts=in"])
    yield Case("prompts pipe", [*SCORE, "--prompts=p.json"], fifo("p.json"))
    yield Case("prompts device", [*SCORE, "--prompts=/dev/zero"])
    yield Case("prompts linked device", [*SCORE, "--prompts=p.json"], link("p.json", "/dev/zero"))


def models() -> Iterator[Case]:
    def damaged(name: str, change: Callable[[bytes], bytes]) -> Prepare:
        def prepare(folder: Path) -> None:
            for path in example.model().iterdir():
                content = path.read_bytes()
                write(f"m/{path.name}", change(content) if path.name == name else content)(folder)

        return prepare

    for name in ("config.json", "weights.safetensors", "tokenizer.json"):
        changes: dict[str, Callable[[bytes], bytes]] = {
            "cut": lambda content: content[:-100],
            "empty": lambda _: b"",
            "nul": lambda content: bytes(len(content)),
            "text": lambda _: b"{}",
            "nested": lambda _: b"[" * 100_000,
            "header": lambda _: struct.pack("<Q", 2**62) + b"{}",
            "utf-16": lambda _: "{}".encode("utf-16"),
        }
        for kind, change in changes.items():
            yield Case(f"model {name} {kind}", ["embed", "in", "--model", "m"], damaged(name, change))
        yield Case(f"model {name} pipe", ["embed", "in", "--model", "m"], fifo(f"m/{name}"))
        yield Case(f"model {name} device", ["embed", "in", "--model", "m"], link(f"m/{name}", "/dev/zero"))
    for kind, content in {
        "empty": b"",
        "text": b"x" * 900,
        "header": struct.pack("<Q", 2**62),
        "json": struct.pack("<Q", 2) + b"{}",
    }.items():
        yield Case(f"probe {kind}", [*SCORE, "--probe=p.probe.safetensors"], write("p.probe.safetensors", content))
    yield Case("probe pipe", [*SCORE, "--probe=p.probe.safetensors"], fifo("p.probe.safetensors"))
    yield Case("probe device", [*SCORE, "--probe=p.probe.safetensors"], link("p.probe.safetensors", "/dev/zero"))


def settings() -> Iterator[Case]:
    nine = ",".join(["*a{0}"] * 9)
    contents = {
        "empty": b"",
        "text": b"x",
        "list": b"[]",
        "utf-16": "matrix: 1".encode("utf-16"),
        "nul": b"\0",
        "aliases": ("a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{nine.format(n - 1)}]\n" for n in range(1, 12))).encode(),
        "merges": (
            "a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n} {{<<: [{nine.format(n - 1)}]}}\n" for n in range(1, 9))
        ).encode(),
        "itself": b"a: &a [*a]",
        "code": b"a: !!python/object/apply:os.system ['touch x']",
        "nested": b"[" * 50_000,
        "digits": b"a: " + b"9" * 9000,
        "date": b"a: 2020-99-99",
        "large": b"a: b\n" * 90_000,
        "tab": b"\ta: b",
        "cut": b"matrix: [",
        "unknown": b"matrx: 1",
        "binary": bytes(range(256)),
    }
    for name, content in contents.items():
        yield Case(f"run with settings {name}", ["run", "index", "csn"], write("params.yaml", content))
        yield Case(f"check with settings {name}", ["check", "csn"], write("params.yaml", content))
    yield Case("settings pipe", ["check", "csn"], fifo("params.yaml"))
    yield Case("settings device", ["check", "csn"], link("params.yaml", "/dev/zero"))
    for command in (
        ["run", "index", "csn"],
        ["check", "csn"],
        ["profile", "real"],
        ["profile", "../../x"],
        ["replay", "none"],
        ["table"],
        ["run", "none"],
        ["run", "../x"],
    ):
        yield Case(f"without settings: {' '.join(command)}", command)


CHECKPOINTS = {
    "empty": b"", "text": b"x" * 90, "pickle": b"\x80\x04\x95cos\nsystem\n(S'touch x'\ntR.",
    "zip": b"PK\3\4" + bytes(90), "header": struct.pack("<Q", 2**62) + b"{}",
}  # fmt: skip


def checkpoints() -> Iterator[Case]:
    words = ["--encoder", "ecg_fm", "-o", "out"]
    for name, content in CHECKPOINTS.items():
        for suffix in (".pt", ".safetensors"):
            yield Case(f"convert {name}{suffix}", ["convert", f"c{suffix}", *words], write(f"c{suffix}", content))
    yield Case("convert pipe", ["convert", "c.pt", *words], fifo("c.pt"))
    yield Case("convert device", ["convert", "/dev/zero", *words])
    yield Case("convert absent", ["convert", "none.pt", *words])
    yield Case("convert unknown", ["convert", "c.pt", "--encoder", "none", "-o", "out"], write("c.pt", b"x"))


def exports() -> Iterator[Case]:
    for model in ("none", "/dev/zero", "/dev/null", "in", "in/r0.hea", "", "models:/x"):
        yield Case(f"export {model!r}", ["export", model, "-o", "out"])
    for target in ("", "in", "in/r0.hea", "/dev/null", "in/r0.hea/x", "/proc/self/x", "x" * 300):
        yield Case(f"export to {target[:12]!r}", ["export", "MODEL", "-o", target])
    yield Case("export pipe", ["export", "m", "-o", "out"], fifo("m/config.json"))
    yield Case("export device", ["export", "m", "-o", "out"], link("m/config.json", "/dev/zero"))
