"""What the fuzzer starts from, one intact input for each reader, and how it damages them."""

import io
import random
import zipfile
from pathlib import Path

import numpy as np
import scipy.io

from cgdmer.archives import Archive
from cgdmer.demo_corpora import cpsc2018, csn, mimic_iv_ecg, ptb_xl
from cgdmer.errors import DataError
from cgdmer.recordings import ArrayMetadata
from cgdmer.signals import LEADS
from cgdmer.waveforms import record_bytes
from support import ecg_xml, scp_ecg
from support.clinical import dicom_bytes, edf_bytes

WORDS = [
    b"../",
    b"\0",
    b"-1",
    b"999999999999",
    b"1e308",
    b"nan",
    b",",
    b'"',
    b"\n",
    b"\xff\xfe",
    b"/etc/passwd",
    b"<b>",
]
DIGITAL = np.random.default_rng(0).integers(-900, 900, (12, 60)).astype(np.int16)
Files = dict[str, bytes]


class Store:
    """Files in memory, with the interface of a folder or zip."""

    def __init__(self, files: Files) -> None:
        self.files = files

    def names(self, prefix: str, depth: int | None = None) -> list[str]:
        return sorted(name for name in self.files if name.startswith(prefix))

    def has(self, name: str) -> bool:
        return name in self.files

    def size(self, name: str) -> int:
        return len(self.read(name, 1 << 30))

    def read(self, name: str, limit: int) -> bytes:
        if name not in self.files:
            raise DataError(f"{name} is missing")
        return self.files[name]

    def close(self) -> None:
        pass


def archive_of(files: Files) -> Archive:
    archive = Archive(Path("/nowhere"))
    archive._opened = Store(files)  # type: ignore[assignment]
    return archive


def struct(compressed: bool) -> bytes:
    stream = io.BytesIO()
    ecg = {"ECG": {"sex": "Male", "age": 70, "data": DIGITAL / 1000}}
    scipy.io.savemat(stream, ecg, do_compression=compressed)
    return stream.getvalue()


def zipped(files: Files) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in files.items():
            target.writestr(name, content)
    return stream.getvalue()


def mutate(content: bytes, draw: random.Random, head: int = 1 << 30) -> bytes:
    """Return the content with one to four pieces of its first `head` bytes flipped, cut, repeated or replaced."""
    data = bytearray(content)
    for _ in range(draw.randint(1, 4)):
        position = draw.randrange(min(len(data), head) + 1)
        match draw.randrange(6):
            case 0:
                del data[position:]
            case 1:
                data[position:position] = draw.choice(WORDS)
            case 2 if data:
                data[position % len(data)] ^= 1 << draw.randrange(8)
            case 3:
                end = position + draw.randrange(64)
                data[position:position] = data[position:end]
            case 4:
                data[position : position + draw.randrange(16)] = draw.randbytes(draw.randrange(16))
            case 5:
                data[position : position + 4] = draw.choice(
                    [b"\xff\xff\xff\xff", b"\0\0\0\0", b"\0\0\0\x7f", b"\x01\0\0\0"]
                )
    return bytes(data)


def one_of(files: Files, draw: random.Random, among: str = "") -> Files:
    name = draw.choice([name for name in sorted(files) if name.endswith(among)])
    return files | {name: mutate(files[name], draw)}


RECORDS: dict[str, Files] = {
    "16": record_bytes("r", DIGITAL, 500, LEADS, comments=["Age: 70", "Dx: 426783006"]),
    "16+24": record_bytes("r", DIGITAL, 500, LEADS, fmt="16+24"),
    "212": {"r.hea": b"r 1 500 480\nr.dat 212 200(5)/mV 12 0 0 0 0 I", "r.dat": DIGITAL.tobytes()},
    "80": {"r.hea": b"r 2 500 700\nr.dat 80 1/uV 8 0\nr.dat 80 1/uV 8 0", "r.dat": DIGITAL.tobytes()},
    "32": {"r.hea": b"r 1 500 300\nr.dat 32 1000/V 8 0", "r.dat": DIGITAL.tobytes()},
}
FOREIGN: Files = {"r.hea": b"r 1 500 200\nr.dat 16:2 100/mV 12 0 3 0 0 I", "r.dat": DIGITAL.tobytes()}
SEGMENTS: Files = {
    "r.hea": b"r/2 12 500 120\ns 60\ns 60\n",
    **{name.replace("r", "s", 1): data for name, data in record_bytes("s", DIGITAL, 500, LEADS).items()},
}
STRUCTS = [struct(compressed=True), struct(compressed=False)]
ZIP = zipped({"a/RECORDS": b"x" * 400, "a/b/r.dat": bytes(9000), "é.hea": b"r 1"})
EDF, DICOM = edf_bytes(), dicom_bytes()
SHORT = ecg_xml.microvolt(seconds=2)
XML = [
    ecg_xml.aecg(SHORT[:, :60]),
    ecg_xml.muse(SHORT[[0, 1, *range(6, 12)]]),
    *(ecg_xml.philips(SHORT, version=version, encoding="utf-8") for version in ("1.03", "1.04")),
]
XLI = ecg_xml.xli(ecg_xml.residuals(SHORT))
SCP = [
    scp_ecg.contents(SHORT[[0, 1, *range(6, 12)]], differences=order, compressed=packed, beats=beats)
    for order, packed, beats in ((0, False, ()), (2, True, (205, 600)))
]
STATED = ArrayMetadata(500.0, "mV", LEADS)
TABLE = "\n".join([",".join(LEADS), *(",".join(map(str, row)) for row in DIGITAL.T / 1000)]).encode()
ARRAY = (
    b"\x93NUMPY\1\0"
    + b"v\0{'descr': '<i2', 'fortran_order': False, 'shape': (12, 60), }".ljust(118)
    + DIGITAL.tobytes()
)
SIDECAR = b'{"fs": 500, "unit": "mV", "leads": ["I", "II", "V1"]}'
PROMPTS = b'{"prompts": {"AFIB": "atrial fibrillation", "NORM": "normal ECG"}}'
PARAMS = (Path(__file__).parents[2] / "params.yaml").read_bytes()
CORPORA: dict[str, Files] = {
    name: {path: b"".join(parts) for path, parts in module.files(6, 3)}
    for name, module in {"mimic_iv_ecg": mimic_iv_ecg, "ptb_xl": ptb_xl, "cpsc2018": cpsc2018, "csn": csn}.items()
}
