"""Hundreds of damaged records: each gives a record or a clear error, never another exception or a large allocation."""

import io
import random
import tracemalloc

import numpy as np
import pytest
import scipy.io

from cgdmer.archives import open_archive
from cgdmer.errors import DataError
from cgdmer.waveforms import read_record, record_bytes

LARGE = 64 << 20
DIGITAL = np.random.default_rng(0).integers(-900, 900, (12, 50)).astype(np.int16)
LEADS = [f"V{lead}" for lead in range(12)]


def struct(*, compressed: bool) -> dict[str, bytes]:
    stream = io.BytesIO()
    ecg = {"sex": "Male", "age": 70, "data": DIGITAL / 1000}
    scipy.io.savemat(stream, {"ECG": ecg}, do_compression=compressed)
    return {"r.mat": stream.getvalue()}


def foreign(second: str) -> dict[str, bytes]:
    """A record that `wfdb` has to read."""
    lines = ["r 2 500 100", f"r.dat {second} 100/mV 12 0 3 0 0 I", f"r.dat {second} 100/mV 12 0 3 0 0 II"]
    return {"r.hea": "\n".join(lines).encode(), "r.dat": DIGITAL.tobytes()}


RECORDS = {
    "16": record_bytes("r", DIGITAL, 500, LEADS, comments=["Age: 70"]),
    "16+24": record_bytes("r", DIGITAL, 500, LEADS, fmt="16+24"),
    "212": {"r.hea": b"r 1 500 300\nr.dat 212 200(5)/mV 12 0 0 0 0 I", "r.dat": DIGITAL.tobytes()},
    "struct": struct(compressed=False),
    "packed struct": struct(compressed=True),
    "skew": foreign("16:2"),
    "frames": foreign("61x2"),
    "segments": {
        "r.hea": b"r/2 12 500 100\ns 50\ns 50\n",
        **{name.replace("r", "s", 1): data for name, data in record_bytes("s", DIGITAL, 500, LEADS).items()},
    },
}


def damage(content: bytes, rng: random.Random) -> bytes:
    """Flip bits, cut, repeat or overwrite a piece, put a digit where something stood."""
    data, place = bytearray(content), rng.randrange(len(content))
    match rng.randrange(5):
        case 0:
            return bytes(data[:place])
        case 1:
            data[place : place + rng.randrange(9)] = data[: rng.randrange(20)]
        case 2:
            data[place] = rng.choice(b"0123456789/-+x:.() ~\n\0\xff")
        case 3:
            data[place:place] = bytes(rng.choice(b"0123456789") for _ in range(rng.randrange(1, 12)))
        case 4:
            for _ in range(rng.randrange(1, 4)):
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("kind", RECORDS)
def test_a_damaged_record_reads_or_says_why(tmp_path, kind):
    files, rng, refused = RECORDS[kind], random.Random(7), 0
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    archive, member = open_archive(tmp_path), next(name for name in ("r.hea", "r.mat") if name in files)
    assert read_record(archive, member).signal.size
    tracemalloc.start()
    try:
        for _ in range(150):
            name = rng.choice(sorted(files))
            (tmp_path / name).write_bytes(damage(files[name], rng))
            try:
                record = read_record(archive, member, verify=True)
                assert record.signal.ndim == 2
                assert record.signal.size
            except DataError:
                refused += 1
            (tmp_path / name).write_bytes(files[name])
        assert tracemalloc.get_traced_memory()[1] < LARGE
    finally:
        tracemalloc.stop()
    assert refused > 10
