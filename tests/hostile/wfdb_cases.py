"""Damaged WFDB headers and signal files."""

from collections.abc import Iterator

import numpy as np
from hostile.records import GOOD, HEADER, LINE, SIGNAL, Files


def wfdb() -> Iterator[tuple[str, Files]]:
    """Damaged headers and signal files."""
    records = {
        "empty": b"",
        "nul": b"\0" * 400,
        "binary": bytes(range(256)),
        "spaces": b" \n" * 300,
        "comments only": b"#a\n",
        "name only": b"r",
        "path in name": b"../r 1 500 10\n" + LINE,
        "slash": b"r/x 1 500 10\n" + LINE,
        "no leads": b"r 0 500 10\n",
        "negative leads": b"r -1 500 10\n" + LINE,
        "many leads": b"r 999999999999 500 10\n",
        "float leads": b"r 1.5 500 10\n" + LINE,
        "zero rate": b"r 1 0 10\n" + LINE,
        "negative rate": b"r 1 -5 10\n" + LINE,
        "nan rate": b"r 1 nan 10\n" + LINE,
        "inf rate": b"r 1 inf 10\n" + LINE,
        "huge rate": b"r 1 1e308 10\n" + LINE,
        "tiny rate": b"r 1 1e-300 10\n" + LINE,
        "slow": b"r 1 3 2500\n" + LINE,
        "fast": b"r 1 90000 2500\n" + LINE,
        "long rate": b"r 1 " + b"1" * 100_000 + b"x 10\n" + LINE,
        "no samples": b"r 1 500 -1\n" + LINE,
        "more samples": b"r 1 500 999999999999\n" + LINE,
        "digits of samples": b"r 1 500 " + b"9" * 5000 + b"\n" + LINE,
        "file above": b"r 1 500 10\n../r.dat 16 1/mV 16 0 0 0 0 I",
        "absolute file": b"r 1 500 10\n/etc/passwd 16 1/mV 16",
        "missing file": b"r 1 500 10\nx.dat 16 1/mV 16 0 0 0 0 I",
        "file is the header": b"r 1 500 10\nr.hea 16 1/mV 16 0 0 0 0 I",
        "unknown format": b"r 1 500 10\nr.dat 17 1/mV 16 0 0 0 0 I",
        "long format": b"r 1 500 10\nr.dat " + b"1" * 900,
        "zero gain": b"r 1 500 10\nr.dat 16 0/mV 16 0 0 0 0 I",
        "nan gain": b"r 1 500 10\nr.dat 16 nan/mV 16",
        "tiny gain": b"r 1 500 2500\nr.dat 16 1e-99/mV 16 0 0 0 0 I",
        "huge gain": b"r 1 500 2500\nr.dat 16 1e99/mV 16",
        "long gain": b"r 1 500 10\nr.dat 16 " + b"1" * 100_000 + b"x/mV",
        "many gains": b"r 1 500 10\n" + (b"r.dat 16 " + b"1" * 900 + b"x\n") * 900,
        "unit of mmHg": b"r 1 500 2500\nr.dat 16 1000/mmHg 16 0 0 0 0 I",
        "unit of degrees": b"r 1 500 10\nr.dat 16 1/degC 16",
        "baseline": b"r 1 500 10\nr.dat 16 1(99999999999)/mV 16",
        "offset": b"r 1 500 10\nr.dat 16+999999999 1/mV 16 0 0 0 0 I",
        "unknown lead": b"r 1 500 2500\nr.dat 16 1000/mV 16 0 0 0 0 EEG",
        "no lead name": b"r 1 500 2500\nr.dat 16 1000/mV",
        "twice the lead": b"r 2 500 1250\n" + LINE + b"\n" + LINE,
        "two formats": b"r 2 500 1250\nr.dat 16 1/mV\nr.dat 212 1/mV",
        "markup as lead": b"r 1 500 2500\nr.dat 16 1000/mV 16 0 0 0 0 <script>",
        "too many lines": HEADER + LINE * 3,
        "missing segment": b"r/2 1 500 10\ns 5\nt 5\n",
        "itself as segment": b"r/1 1 500 10\nr 10\n",
        "segments": b"r/9999 1 500 10\n" + b"s 1\n" * 9999,
        "many lines": b"r 1 500 10\n" + b"x 16 1\n" * 100_000,
        "a long line": b"r 1 500 10\n" + b"a" * 900_000,
        "skew": b"r 1 500 10\nr.dat 16:999999999 1/mV 16 0 0 0 0 I",
        "frames": b"r 1 500 10\nr.dat 16x999999 1/mV 16 0 0 0 0 I",
        "flac": b"r 1 500 2500\nr.dat 516 1000/mV 16 0 0 0 0 I",
        "first differences": b"r 1 500 2500\nr.dat 8 1000/mV 8 0 0 0 0 I",
        "utf-16": HEADER.decode().encode("utf-16"),
        "raw digits": HEADER.replace(b"1000.0(0)/mV", b"1(0)/mV"),
        "volt": HEADER.replace(b"/mV", b"/V"),
        "microvolt": HEADER.replace(b"/mV", b"/uV"),
    }
    yield from ((f"header {name}", {"r.hea": content, "r.dat": SIGNAL}) for name, content in records.items())
    signals = {
        "empty": b"",
        "one byte": b"\0",
        "cut": SIGNAL[:-1],
        "zeros": bytes(len(SIGNAL)),
        "missing values": b"\0\x80" * (len(SIGNAL) // 2),
        "noise": np.random.default_rng(0).integers(-900, 900, GOOD.shape).astype("<i2").tobytes(),
        "square wave": np.where(np.arange(GOOD.shape[1])[:, None] // 125 % 2, 900, -900)
        .repeat(12, 1)
        .astype("<i2")
        .tobytes(),
        "full scale": np.where(np.arange(GOOD.size) % 7 < 3, 32767, -32767).astype("<i2").tobytes(),
        "constant": np.full(GOOD.shape, 700, "<i2").tobytes(),
        "text": (b"a patient said " * 5000)[: len(SIGNAL)],
    }
    yield from ((f"signal {name}", {"r.hea": HEADER, "r.dat": content}) for name, content in signals.items())
    yield "signal absent", {"r.hea": HEADER}
    yield "dat without header", {"r.dat": SIGNAL}
