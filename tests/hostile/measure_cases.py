"""Hostile options, outputs and paths for `measure`, and paths for `fit`."""

from collections.abc import Iterator

from hostile.cases import Case, both, fifo, link, write

NUMBERS = ("1e308", "-1", "0", "1.9", "61", "nan", "inf", "text", "", "9" * 400)


def options() -> Iterator[Case]:
    for number in NUMBERS:
        yield Case(f"measure --seconds {number[:9]!r}", ["measure", "in", f"--seconds={number}"])
    for option, values in {
        "--start": ("-1", "1e308", "nan", "9000"),
        "--fs": ("0", "-5", "nan", "1e308"),
        "--unit": ("", "mmHg"),
        "--leads": ("Q", "I,I"),
        "--every": ("0", "-1", "nan", "1e308", "text"),
    }.items():
        for value in values:
            yield Case(f"measure {option} {value!r}", ["measure", "in", f"{option}={value}"])
    yield Case("measure --windows alone", ["measure", "in", "--windows"])
    yield Case("measure no paths", ["measure"])
    yield Case("measure --model", ["measure", "in", "--model", "MODEL"])


def outputs() -> Iterator[Case]:
    prepare = both(write("mine.csv", b"mine"), write("folder.xlsx/x", b""), link("dangling.parquet", "nowhere"))
    targets = ("", " ", ".", "in", "/", "x.docx", "x.svg", "in/r0.hea", "in/r0.hea/x.csv", "mine.csv", "folder.xlsx",
               "dangling.parquet", "/dev/null", "/dev/full", "/proc/self/x.csv", "n" * 300 + ".csv")  # fmt: skip
    for target in targets:
        yield Case(f"measure to {target[:12]!r}", ["measure", "in", f"--output={target}"], prepare)
    for suffix in ("csv", "parquet", "xlsx"):
        yield Case(f"measure to a full disk .{suffix}", ["measure", "in", "-o", f"x.{suffix}"], full=True)


def paths() -> Iterator[Case]:
    prepare = both(fifo("pipe.xml"), link("loop.scp", "loop.scp"), write("bad.xml", b"<a/>"), write("void/x.txt", b""))
    table = both(prepare, write("labels.csv", b"recording,a\nbad,1\n"))
    names = ("", "none", "void", "pipe.xml", "loop.scp", "bad.xml", "/dev/zero", "x" * 5000, "a\nb.hea", "t.docx")
    for name in names:
        yield Case(f"measure {name[:12]!r}", ["measure", "--", name], prepare)
        says = "" if name.endswith((".xml", ".scp", ".hea")) else "no recording was found"
        yield Case(f"fit on {name[:12]!r}", ["fit", "--model", "MODEL", "--", "labels.csv", name], table, says=says)
    for name, content in {"empty": b"", "nul": b"\0" * 5_000_000, "long": b"x" * 200_000, "itself": b"-\n"}.items():
        yield Case(f"measure a list: {name}", ["measure", "-"], stdin=content)
        yield Case(f"fit a list: {name}", ["fit", "labels.csv", "-", "--model", "MODEL"], table, stdin=content)
