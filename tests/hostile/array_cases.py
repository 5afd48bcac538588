"""Arrays and tables that are no recordings, and sidecars that are wrong."""

import io
import struct
from collections.abc import Iterator

import numpy as np
from hostile.records import SIDECAR, Files
from support import example_recordings as example

from cgdmer.signals import LEADS


def _npy(header: str, data: bytes = b"", version: bytes = b"\1\0") -> bytes:
    text = header.encode("latin-1") + b"\n"
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text + data


def _saved(values: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, values, allow_pickle=False)
    return stream.getvalue()


def npy() -> Iterator[tuple[str, Files]]:
    """Damaged arrays with a sidecar that is in order."""
    signal = example.millivolt(1)
    contents = {
        "empty": b"",
        "magic": b"\x93NUMPY",
        "version": b"\x93NUMPY\x09\x09",
        "no dict": _npy("[]"),
        "no literal": _npy("__import__('os')"),
        "nested": _npy("(" * 9000),
        "pickle": _npy("{'descr': '|O', 'fortran_order': False, 'shape': (12, 9)}", b"\x80\x04N."),
        "huge": _npy("{'descr': '<f8', 'fortran_order': False, 'shape': (12, 99999999999999)}"),
        "negative": _npy("{'descr': '<f8', 'fortran_order': False, 'shape': (12, -5)}"),
        "zero": _saved(np.zeros((12, 0))),
        "flat": _saved(signal.ravel()),
        "three dimensions": _saved(signal[None]),
        "complex": _saved(signal.astype(complex)),
        "text": _saved(np.full((12, 900), "x")),
        "bool": _saved(signal > 0),
        "dates": _saved(np.zeros((12, 900), "M8[s]")),
        "eleven leads": _saved(signal[:11]),
        "nan": _saved(np.full((12, 2500), np.nan)),
        "infinite": _saved(np.full((12, 2500), np.inf)),
        "overflow": _saved(np.full((12, 2500), 1e300)),
        "large": _saved(signal * 1e30),
        "microvolt": _saved(signal * 1000),
        "volt": _saved(signal / 1000),
        "noise": _saved(np.random.default_rng(0).normal(size=(12, 2500))),
        "zeros": _saved(np.zeros((12, 2500))),
        "short": _saved(signal[:, :40]),
        "cut": _saved(signal)[:-1],
        "longer": _saved(signal) + b"x",
        "subnormal": _saved(signal * 1e-310),
        "square": _saved(np.random.default_rng(1).normal(size=(12, 12))),
        "sine": _saved(np.sin(np.arange(2500) / 9) * np.ones((12, 1))),
    }
    yield from ((f"npy {name}", {"r.npy": content, "r.json": SIDECAR}) for name, content in contents.items())


def sidecars() -> Iterator[tuple[str, Files]]:
    """Sidecars that are wrong, beside an array that is in order."""
    contents = {
        "empty": b"",
        "list": b"[]",
        "text": b'"mV"',
        "number": b"5",
        "cut": SIDECAR[:-3],
        "nested": b"[" * 60_000,
        "surrogate": b'{"unit": "\\ud800"}',
        "surrogate key": b'{"\\udcff": 1}',
        "surrogate lead": b'{"leads": ["\\ud800"]}',
        "unknown key": b'{"rate": 5}',
        "nul": b"\0" * 90,
        "text as rate": b'{"fs": "500"}',
        "list as rate": b'{"fs": [500]}',
        "true as rate": b'{"fs": true}',
        "zero rate": b'{"fs": 0, "unit": "mV"}',
        "negative rate": b'{"fs": -5}',
        "huge rate": b'{"fs": 1e308}',
        "infinite rate": b'{"fs": 1e400}',
        "long rate": b'{"fs": ' + b"9" * 4000 + b"}",
        "too long a rate": b'{"fs": ' + b"9" * 9000 + b"}",
        "nan rate": b'{"fs": NaN}',
        "slow": b'{"fs": 3, "unit": "mV", "leads": ["I"]}',
        "unit": b'{"unit": "lightyear"}',
        "long unit": b'{"unit": "' + b"m" * 60_000 + b'"}',
        "leads as text": b'{"leads": "I,II"}',
        "unknown lead": b'{"leads": ["Q"]}',
        "twice": b'{"leads": ["I", "i"]}',
        "many": b'{"leads": [' + b'"I",' * 15_000 + b'"I"]}',
        "too large": b'{"fs": 5}' + b" " * 70_000,
        "microvolt as millivolt": SIDECAR.replace(b'"mV"', b'"V"'),
        "wrong count": SIDECAR.replace(b', "V6"', b""),
        "incomplete": b'{"fs": 500}',
    }
    yield from (
        (f"sidecar {name}", {"r.npy": _saved(example.millivolt(1)), "r.json": content})
        for name, content in contents.items()
    )


def csv() -> Iterator[tuple[str, Files]]:
    """Tables that are no recordings, with rate and unit stated."""
    rows = "\n".join(",".join(f"{value:.3f}" for value in row) for row in example.millivolt(1).T[:900])
    names = ",".join(LEADS)
    contents = {
        "empty": "",
        "header only": names,
        "names": "age,sex\n50,m\n",
        "patient": f"name,{names}\njohn," + "1," * 11 + "1\n",
        "twice": "I,i\n1,2\n",
        "words": f"{names}\nI am no number\n",
        "ragged": f"{names}\n{rows}\n1,2,3\n",
        "decimal comma": f"{names}\n{rows.replace('.', ',')}",
        "dates": "I\n2020-01-01\n",
        "formula": "I\n=1+1\n",
        "hex": "I\n0x10\n",
        "infinite": "I\n" + "inf\n" * 900,
        "nan": "I\n" + "nan\n" * 900,
        "no cells": "I\n" + "\n" * 900,
        "quotes": 'I\n"' * 900,
        "open quote": 'I\n"1\n2\n',
        "nul": "I\n\0\n",
        "digits": "1" * 200_000 + "x,2\n",
        "cells": "1," * 40_000 + "x\n",
        "wide": ",".join(f"I{n}" for n in range(2000)) + "\n",
        "one row": f"{names}\n" + "0.1," * 11 + "0.1\n",
        "microvolt": f"{names}\n" + rows.replace("0.", "9").replace("1.", "8"),
        "constant": f"{names}\n" + ("0.5," * 11 + "0.5\n") * 900,
        "huge": "I\n" + "1e308\n" * 900,
        "long number": "I\n" + "1" * 50_000 + "\n",
        "separators": ",;\t" * 90 + "\n",
        "markup": "<script>,I\n1,2\n",
    }
    stated = b'{"fs": 500, "unit": "mV"}'
    yield from ((f"csv {name}", {"r.csv": content.encode(), "r.json": stated}) for name, content in contents.items())
    yield "csv binary", {"r.csv": bytes(range(256)) * 40, "r.json": stated}
    yield "csv utf-16", {"r.csv": f"{names}\n{rows}".encode("utf-16"), "r.json": stated}
    yield "csv latin", {"r.csv": f"{names}\xe9\n{rows}".encode("latin-1"), "r.json": stated}
