"""Hostile tables of labels and hostile probes for `fit` and `score`."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from hostile.cases import Case, Prepare, fifo, link, write

from cgdmer.files import sha256, with_digest
from cgdmer.probing import linear_probe_io
from cgdmer.probing.label_probe_io import LAYER, REFERENCE
from cgdmer.probing.linear_probe_io import FittedLayer, FittedProbe

FIT = ["fit", "labels.csv", "in", "--model", "MODEL"]
SCORE = ["score", "in", "--model", "MODEL", "--probe", "bad.probe"]
NUMBERS = {"recordings": 1, "patients": 1, "positives": 1, "prevalence": 0.5, "C": 1.0,
           "brier": 0.1, "brier_calibrated": 0.1, "brier_constant": 0.1,
           "calibration_error": 0.1, "calibration_error_calibrated": 0.1,
           "auroc": {"mean": 0.9, "low": 0.8, "high": 1.0}}  # fmt: skip
CARD = {"cgdmer": "0", "representations": ["pooled"], "encoder": "x", "encoder_digest": "0" * 64, "encoder_saw": "real",
        "measurements_version": 0, "signal": {}, "seconds": 10.0, "start": 0.0, "recordings": 1, "patients": 1,
        "patients_named": True, "table_sha256": "", "labels": {"a": NUMBERS}, "left_out": {}}  # fmt: skip


def tables() -> Iterator[Case]:
    contents = {
        "empty": b"",
        "no rows": b"recording,a\n",
        "no labels": b"recording\nr0\n",
        "binary": bytes(range(256)) * 40,
        "utf-16": "recording,a\nr0,1\n".encode("utf-16"),
        "NUL": b"recording,a\nr0\0,1\n",
        "quote": b'recording,a\n"r0,1\n',
        "wide": b"recording" + b",a" * 100_000 + b"\n",
        "long cell": b"recording,a\n" + b"r" * 1_000_000 + b",1\n",
        "long name": b"recording," + b"a" * 100_000 + b"\nr0,1\n",
        "escape": b"recording,\x1b[2J\nr0,1\n",
        "twice": b"recording,a,a\nr0,1,1\n",
        "two rows": b"recording,a\nr0,1\nr0.hea,1\n",
        "age": b"recording,age\nr0,63\n",
        "infinite": b"recording,a\nr0,inf\n",
        "one class": b"recording,a\nr0,1\n",
        "others": b"recording,a\nx,1\n",
        "traversal": b"recording,a\n../../etc/passwd,1\n",
        "deep": b"recording,a\n" + b"x/" * 40_000 + b",1\n",
        "device": b"recording,a\n/dev/zero,1\n",
    }
    for name, content in contents.items():
        yield Case(f"labels: {name}", FIT, write("labels.csv", content))
    yield Case("labels: missing", FIT)
    yield Case("labels: pipe", FIT, fifo("labels.csv"))
    yield Case("labels: /dev/zero", FIT, link("labels.csv", "/dev/zero"))
    yield Case("labels: loop", FIT, link("labels.csv", "labels.csv"))
    yield Case("labels: no suffix", ["fit", "in", "in", "--model", "MODEL"])
    for name, content in {"empty": b"", "magic": b"PAR1" * 9, "noise": os.urandom(4096)}.items():
        words = ["fit", "labels.parquet", "in", "--model", "MODEL"]
        yield Case(f"labels: Parquet {name}", words, write("labels.parquet", content))


def outputs() -> Iterator[Case]:
    table = write("labels.csv", b"recording,a\nr0,1\n")
    for name in ("", " ", ".", "..", "-", "in", "/", ".probe", "in/r0.hea", "/dev/null", "x.csv", "n" * 300 + ".probe"):
        yield Case(f"fit to {name[:9]!r}", [*FIT, f"--output={name}"], table)
    for option, value in {"--features": "all", "--representation": "", "--patient": "x", "--recording": "",
                          "--labels": ",", "--start": "nan", "--seconds": "-1"}.items():  # fmt: skip
        yield Case(f"fit {option} {value!r}", [*FIT, f"{option}={value}"], table)


def probes() -> Iterator[Case]:
    cards: dict[str, dict[str, Any]] = {
        "no labels": {"labels": {}},
        "labels of numbers": {"labels": {"a": 5}},
        "other labels": {"labels": {"b": NUMBERS}},
        "words for numbers": {"seconds": "ten"},
        "infinite": {"seconds": 1e400},
        "sure": {"labels": {"a": NUMBERS | {"prevalence": 1.0}}},
        "no interval": {"labels": {"a": NUMBERS | {"auroc": [0.8]}}},
        "representation": {"representations": [["pooled"]]},
        "escape": {"left_out": {"\x1b[2J": ""}},
        "another encoder": {},
        "another form": {"encoder_digest": ""},
        "other measurements": {"encoder_digest": "", "measurements_version": 99},
    }
    for name, changed in cards.items():
        yield Case(f"probe: card {name}", SCORE, _probe(CARD | changed))
    texts = {
        "list": "[]",
        "deep": "[" * 500_000,
        "no JSON": "{{",
        "no digest": json.dumps(CARD),
        "files": '{"files": []}',
    }
    for name, text in texts.items():
        yield Case(f"probe: card {name}", SCORE, write("bad.probe/card.json", text.encode()))
    yield Case("probe: no layer", SCORE, _probe(CARD, layer=None))
    yield Case("probe: layer of noise", SCORE, _probe(CARD, layer=b"\xff" * 64))
    yield Case("probe: quantiles of noise", SCORE, _probe(CARD, quantiles=b"\xff" * 64))
    yield Case("probe: card is a pipe", SCORE, fifo("bad.probe/card.json"))
    yield Case("probe: card is /dev/zero", SCORE, link("bad.probe/card.json", "/dev/zero"))
    yield Case("probe: a file", SCORE, write("bad.probe", b"x"))
    for value in ("", "=", "a=", "a=nan", "a=1e999", "2", "-0.1", "=" * 9000, "b=0.5"):
        yield Case(f"recalibrate {value[:9]!r}", [*SCORE, f"--recalibrate={value}"], _probe(CARD), says="--recalibrate")


def _probe(card: dict[str, Any], layer: bytes | None = b"", quantiles: bytes = b"") -> Prepare:
    """Return what writes a probe with this card, whose digests are right, and this layer; b"" is a layer that fits.

    `quantiles` is the content of its reference; b"" for none.
    """

    def prepare(folder: Path) -> None:
        path = folder / "bad.probe" / LAYER
        fitted = FittedLayer(np.zeros((8, 1)), np.zeros(1))
        linear_probe_io.save(path, FittedProbe("bad", ["a"], "x", "0" * 64, {"pooled": fitted}))
        files = {"files": {LAYER: sha256(path)}}
        if layer is None:
            path.unlink()
        elif layer:
            path.write_bytes(layer)
            files = {"files": {LAYER: sha256(path)}}
        if quantiles:
            (folder / "bad.probe" / REFERENCE).write_bytes(quantiles)
            files["files"][REFERENCE] = sha256(folder / "bad.probe" / REFERENCE)
        write("bad.probe/card.json", json.dumps(with_digest({**card, **files})).encode())(folder)

    return prepare
