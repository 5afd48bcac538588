"""Hostile registries, real recordings, models and targets, for the commands that publish, evaluate and package."""

import socket
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from hostile.cases import Case, both, fifo, link, write
from hostile.project_cases import JSON, each, project
from support import example_recordings as example


@cache
def silent() -> tuple[socket.socket, int]:
    """Return a server that accepts connections and never answers, and its port."""
    server = socket.create_server(("127.0.0.1", 0), backlog=64)
    return server, server.getsockname()[1]


def registries() -> Iterator[Case]:
    addresses = {
        "refused": "http://127.0.0.1:9", "refused with a password": "http://me:hunter2@127.0.0.1:9", "no host": "http://",
        "no port": "http://127.0.0.1:x", "port": "http://127.0.0.1:99999999", "scheme": "gopher://x", "blank": " ",
        "folder": "in", "file store": "file:///dev/zero", "text": "sqlite:///text.db", "device": "sqlite:////dev/null",
        "endless": "sqlite:////dev/zero", "pipe": "sqlite:///pipe", "sqlite without file": "sqlite://", "newline": "http://a\nb",
        "absent folder": "sqlite:///none/x.db", "below a file": "sqlite:///in/r0.hea/x.db", "loop": "sqlite:///loop",
        "postgres": "postgresql://me:hunter2@127.0.0.1:9/x", "mysql": "mysql://me:hunter2@127.0.0.1:9/x",
        "long": "http://" + "x" * 5000, "databricks": "databricks://x",
    }  # fmt: skip
    step = both(project, write("text.db", b"x" * 5000), fifo("pipe"), link("loop", "loop"))
    for command in ("promote", "rollback"):
        for name, address in addresses.items():
            yield Case(f"{command} at {name}", [command], step, environment={"MLFLOW_TRACKING_URI": address},
                       codes=(1, 2, 3, 69))  # fmt: skip
        yield Case(f"{command} at a server that does not answer", [command], step, codes=(69,),
                   environment={"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{silent()[1]}"})  # fmt: skip
    for name in ("refused", "scheme", "no host", "port"):
        for variable in ("MLFLOW_TRACKING_URI", "PREFECT_API_URL"):
            if name != "scheme":
                yield Case(f"doctor {variable} {name}", ["doctor"], step, environment={variable: addresses[name]})
    server = {"PREFECT_API_URL": f"http://127.0.0.1:{silent()[1]}/api"}
    yield Case("doctor and a Prefect that does not answer", ["doctor"], step, environment=server)
    yield Case("promote on a full disk", ["promote"], step, full=True)


TABLES = {
    "ptb_xl": ("ptb-xl/ptbxl_database.csv", "ptb-xl/records100/x.hea"),
    "ludb": ("ludb/ludb.csv", "ludb/data/1.hea"),
    "code15": ("code15/exams_subset.csv", "code15/records/1.hea"),
    "csn": ("csn/ConditionNames_SNOMED-CT.csv", "csn/WFDBRecords/x.hea"),
}
"""The table of each set, and a record."""
CSV = {
    "empty": b"", "text": b"damaged", "nul": b"\0" * 900, "latin": b"\xe9,\xe9\n\xe9", "column": b"ID\n1\n",
    "number": b"exam_id\n1\n", "quote": b'ID,"\n1', "path": b"ID\n../../1\n",
    "columns": b"ID," + b"x," * 90_000 + b"\n1",
    "utf-16": "ID\n1".encode("utf-16"),
    "rows": b"exam_id,patient_id,age,is_male,sex,ID,Rhythms\n1,x,-9e999,maybe,x,1,x\n",
}  # fmt: skip
"""Contents that are no such table."""


def external() -> Iterator[Case]:
    words = ["external-validation", "--root"]
    for name, (table, record) in TABLES.items():
        needed = both(project, write(f"sets/{record}", b"1 12 500 5000\n" + b"1.dat 16 1000 16 0 0 0 0 I\n" * 12))
        for kind, step in each(f"sets/{table}", CSV):
            line = [*words, "sets", "--encoders", "cgdmer_base"]
            yield Case(f"{words[0]} {name} {kind}", line, both(needed, step))
    roots = ("none", "in", "in/r0.hea", "/dev/zero", "/dev/null", "loop", "pipe", "x" * 5000, "a\nb", "/proc/self/fd")
    for root in roots:
        step = both(project, link("loop", "loop"), fifo("pipe"))
        yield Case(f"{words[0]} {root[:12]!r}", [*words, root], step)
    for name in ("", ",", "none", "cgdmer,none", "../x", "x" * 5000):
        step = both(project, write("sets/ludb/ludb.csv", b"ID"), write("sets/ludb/data/1.dat", b""))
        yield Case(f"{words[0]} --encoders {name[:9]!r}", [*words, "sets", "--encoders", name], step)


def simulated(folder: Path) -> None:
    """Say of each benchmark corpus that it is simulated."""
    project(folder)
    for source in ("ptb_xl", "cpsc2018", "csn"):
        write(f"data/raw/{source}/manifest.json", b'{"way": "simulate", "files": 1, "bytes": 2}')(folder)


def packages() -> Iterator[Case]:
    for target in ("/dev/null", "in", "in/r0.hea", "in/r0.hea/x", "/proc/self/x", "x" * 300, "loop", "pipe", "new"):
        step = both(simulated, link("loop", "loop"), fifo("pipe"))
        yield Case(f"package to {target[:12]!r}", ["package", "MODEL", "-o", target], step)
        yield Case(f"package --card of {target[:12]!r}", ["package", "--card", "-o", target], step)
    for source, step in each("data/raw/csn/manifest.json", JSON):
        yield Case(f"package of manifest {source}", ["package", "MODEL", "-o", "new"], both(project, step))
    for name, step in each("data/shards/ptb_xl/manifest.json", JSON):
        yield Case(f"package of shards {name}", ["package", "MODEL", "-o", "new"], both(simulated, step))
    packaged = _packaged
    for name, step in each("reports/real.json", JSON | {"wrong": b'{"sets": 5, "encoder": []}'}):
        yield Case(f"package --card beside {name}", ["package", "--card", "-o", "made"], both(packaged, step))
    for name, step in each("made/about.json", JSON):
        yield Case(f"package --card of about {name}", ["package", "--card", "-o", "made"], both(project, step))
    for name in ("none", "/dev/zero", "in", "in/r0.hea", "loop"):
        step = both(simulated, link("loop", "loop"))
        yield Case(f"package {name!r}", ["package", name, "-o", "new"], step)
    yield Case("export on a full disk", ["export", "MODEL", "-o", "out"], full=True)
    yield Case("package on a full disk", ["package", "MODEL", "-o", "out"], simulated, full=True)
    for name in ("none", "in", "in/r0.hea", "/dev/zero", "loop", "x" * 5000):
        yield Case(f"replay {name[:12]!r}", ["replay", name], both(project, link("loop", "loop")))


def _packaged(folder: Path) -> None:
    """Copy the statements of the shipped encoder beside a small model."""
    from cgdmer.encoders import cgdmer_base

    for path in example.model().iterdir():
        write(f"made/{path.name}", path.read_bytes())(folder)
    write("made/about.json", (cgdmer_base.FOLDER / "about.json").read_bytes())(folder)
