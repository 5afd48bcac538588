"""Hostile command lines for `report` and `view`; none of `view` may reach the server, which would not end."""

from collections.abc import Iterator

from hostile.cases import Case, both, fifo, link, write

REPORT, VIEW = ["report", "in", "--model", "MODEL"], ["view", "in", "--model", "MODEL"]
ENDLESS = b"in/r0.hea\n" * 200_000
PATHS = ["nowhere", "", "/dev/zero", "/dev/null", "~", "*", "in/r0.dat.dat", "\udcff\udcfe", "x" * 5000, "in/r0.hea/x"]
OPTIONS = {
    "--start": "nan",
    "--fs": "-1",
    "--unit": "kg",
    "--leads": "I,I",
    "--probe": "../../etc/passwd",
    "--model": "/dev/zero",
}


def reports() -> Iterator[Case]:
    for name in ("", " ", ".", "..", "-", "in", "/", "in/r0.hea", "/dev/null", "/proc/x", "n" * 300, "in/r0.hea/pages"):
        yield Case(f"report to {name[:12]!r}", [*REPORT, f"--output={name}"])
        yield Case(f"report over {name[:12]!r}", [*REPORT, f"--output={name}", "--overwrite"])
    mine = write("pages/mine.txt", b"mine")
    yield Case("report over a file of others", [*REPORT, "--overwrite"], mine, says="mine.txt")
    for name, prepare in {
        "pipe": fifo("pages/report.json"),
        "/dev/zero": link("pages/report.json", "/dev/zero"),
        "deep": write("pages/report.json", b"[" * 1_000_000),
        "traversal": both(write("pages/report.json", b'{"files": {"../in/r0.hea": ""}}'), mine),
        "link": link("pages", "in"),
        "loop": link("pages", "pages"),
        "escape": write("pages/\x1b[2J\u202e", b""),
    }.items():
        yield Case(f"report, manifest: {name}", [*REPORT, "--overwrite"], prepare)
    yield Case("report on a full disk", REPORT, full=True)
    yield from _both("report", REPORT)


def views() -> Iterator[Case]:
    for port in ("-1", "65536", "x", "", "1e3", "9" * 400):
        yield Case(f"view, port {port[:9]!r}", [*VIEW, f"--port={port}"])
    yield from _both("view", VIEW)


def _both(command: str, words: list[str]) -> Iterator[Case]:
    for path in PATHS:
        yield Case(f"{command} of {path[:12]!r}", [command, path, "--model", "MODEL"])
    for option, value in OPTIONS.items():
        yield Case(f"{command}, {option} {value}", [*words, f"{option}={value}"])
    yield Case(f"{command} of a list without end", [command, "-", "--model", "MODEL"], stdin=ENDLESS)
    yield Case(f"{command} of an empty list", [command, "-", "--model", "MODEL"])
    yield Case(f"{command} of a pipe", [command, "p.hea", "--model", "MODEL"], fifo("p.hea"))
    yield Case(f"{command} without paths", [command])
