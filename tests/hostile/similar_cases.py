"""Hostile tables, queries, options and outputs for `similar`."""

import io
import json
import os
import zipfile
from collections.abc import Iterator

import numpy as np
from hostile.cases import Case, Prepare, both, fifo, link, write

GOOD = b"id,shared_0,shared_1\na,1,0\nb,0,1\nc,1,1\n"
LINE = ["similar", "a", "--in"]
DIGEST = json.dumps({"encoder_digest": "0" * 64}).encode()


def _npz(**arrays: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def _zip(method: int = zipfile.ZIP_DEFLATED, **members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as target:
        for name, content in members.items():
            target.writestr(f"{name}.npy", content)
    return stream.getvalue()


def _header(shape: str, kind: str = "<f4") -> bytes:
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text


def _member(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def tables() -> Iterator[Case]:
    """Tables of embeddings that are none, or are damaged."""
    vectors, ids = np.eye(3, dtype=np.float32), np.array(["a", "b", "c"])
    packed = _zip(id=_member(ids), shared=_member(vectors))
    flipped = bytearray(packed)
    flipped[packed.index(b"shared.npy") + 30] ^= 255
    csv = {
        "empty": b"",
        "header only": GOOD.partition(b"\n")[0] + b"\n",
        "no id": GOOD.replace(b"id,", b"name,"),
        "other feature": GOOD.replace(b"shared", b"pooled"),
        "gap in the numbers": GOOD.replace(b"shared_1", b"shared_7"),
        "same number": GOOD.replace(b"shared_1", b"shared_0"),
        "words": GOOD.replace(b"b,0", b"b,zero"),
        "empty cell": GOOD.replace(b"b,0", b"b,"),
        "nan": GOOD.replace(b"b,0", b"b,nan"),
        "infinite": GOOD.replace(b"b,0", b"b,inf"),
        "beyond float32": GOOD.replace(b"b,0", b"b,1e99"),
        "zero": GOOD.replace(b"b,0,1", b"b,0,0"),
        "zero query": GOOD.replace(b"a,1,0", b"a,0,0"),
        "twice the query": GOOD.replace(b"b,0", b"a,0"),
        "ragged": GOOD + b"d,1\n",
        "NUL": GOOD.replace(b"b,", b"b\0,"),
        "latin": GOOD.replace(b"b,", b"\xe9,"),
        "utf-16": GOOD.decode().encode("utf-16"),
        "open quote": GOOD.replace(b"b,", b'"b,'),
        "long cell": GOOD.replace(b"b,", b"b" * 1_000_000 + b","),
        "long header": b"id," + b"shared_0" * 100_000 + b"\na,1\n",
        "wide": b"id," + b",".join(b"shared_%d" % n for n in range(100_000)) + b"\n",
        "huge number": b"id,shared_0,shared_" + b"9" * 5000 + b"\na,1,1\n",
        "other digits": "id,shared_\u0663,shared_\u00b2\na,1,1\n".encode(),
    }
    npz = {
        "empty": b"",
        "no zip": b"PK\3\4" * 90,
        "cut": packed[:-30],
        "bit": bytes(flipped),
        "one array": _member(vectors),
        "pickle": _zip(id=_member(ids), shared=_header("(3, 3)", "|O") + b"\x80\x04N."),
        "no ids": _npz(shared=vectors),
        "ids beyond": _npz(id=np.arange(9), shared=vectors),
        "flat": _npz(id=ids, shared=vectors.ravel()),
        "no numbers": _npz(id=ids, shared=np.full((3, 3), "x")),
        "complex": _npz(id=ids, shared=vectors * 1j),
        "claimed": _zip(id=_member(ids), shared=_header("(3, 99999999999)")),
        "bomb": _zip(id=_member(ids), shared=_header("(3, 178956970)") + bytes(3 * 4 * (1 << 26))),
        "encrypted": packed.replace(b"\x14\0\0\0\x08\0", b"\x14\0\1\0\x08\0"),
        "lzma": _zip(zipfile.ZIP_LZMA, id=_member(ids), shared=_member(vectors))[:-90],
        "metadata": _npz(id=ids, shared=vectors, cgdmer=np.array("[" * 90_000)),
    }
    parquet = {"empty": b"", "magic": b"PAR1" * 9, "noise": b"PAR1" + os.urandom(900) + b"PAR1"}
    for suffix, contents in (("csv", csv), ("npz", npz), ("parquet", parquet)):
        for name, content in contents.items():
            yield Case(f"similar in {suffix}: {name}", [*LINE, f"t.{suffix}"], write(f"t.{suffix}", content))
    broken: dict[str, Prepare] = {
        "absent": lambda _: None,
        "pipe": fifo("t.csv"),
        "endless": link("t.csv", "/dev/zero"),
        "loop": link("t.csv", "t.csv"),
        "folder": write("t.csv/x", b""),
    }
    for name, prepare in broken.items():
        yield Case(f"similar in a table: {name}", [*LINE, "t.csv"], prepare)
    for name in ("", ".", "in", "/dev/zero", "/dev/null", "in/r0.hea", "x" * 5000, "a\nb.csv"):
        yield Case(f"similar in {name[:12]!r}", [*LINE, name])
    for name, content in {
        "cut": b"{",
        "list": b"[]",
        "deep": b"[" * 90_000,
        "digest": b'{"encoder_digest": 5}',
    }.items():
        made = both(write("t.csv", GOOD), write("t.csv.cgdmer.json", content))
        yield Case(f"similar beside metadata: {name}", ["similar", "in/r0.hea", "--in", "t.csv", "-m", "MODEL"], made)


def queries() -> Iterator[Case]:
    """Queries that are neither an id nor a recording, or belong to another encoder."""
    table = both(
        write("t.csv", GOOD), write("t.csv.cgdmer.json", DIGEST), fifo("pipe.hea"), link("loop.hea", "loop.hea")
    )
    names = (
        "",
        " ",
        "d",
        "A",
        ".",
        "in",
        "in/r0.hea",
        "/dev/zero",
        "pipe.hea",
        "loop.hea",
        "x" * 5000,
        "\x1b[2J",
        "\n",
    )
    for name in names:
        yield Case(f"similar to {name[:12]!r}", ["similar", "--in", "t.csv", "-m", "MODEL", "--", name], table)
    yield Case("similar without a model", ["similar", "in/r0.hea", "--in", "t.csv"], table)
    yield Case("similar with another model", ["similar", "in/r0.hea", "--in", "t.csv", "-m", "in"], table)


def options() -> Iterator[Case]:
    table = both(write("t.csv", GOOD), write("mine.csv", b"mine"), write("folder.csv/x", b""))
    for option, values in {
        "-k": ("0", "-1", "1.5", "nan", "9" * 400, "", "100001"),
        "--feature": ("", "poled", "shared_", "\n", "id", "x" * 9000),
        "--start": ("-1", "nan", "inf", "1e308", "5", ""),
        "--output": ("", ".", "/", "in", "t.csv", "mine.csv", "folder.csv", "x.docx", "/dev/full", "/proc/self/x.csv",
                     "n" * 300 + ".csv", "in/r0.hea/x.csv"),
    }.items():  # fmt: skip
        for value in values:
            yield Case(f"similar {option} {value[:12]!r}", [*LINE, "t.csv", option, value], table)
    yield Case("similar on a full disk", [*LINE, "t.csv", "-o", "o.csv"], table, full=True)
