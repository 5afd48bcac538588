"""Feed damaged bytes to every reader in a process with bounded memory; the tests run it as a program.

`python fuzzer.py CASES SEED` distributes the cases over the targets and prints JSON: for each target the number of
cases run and refused. It exits with 1 and the target, seed and traceback of the first case that raises anything but a
CgdmerError, takes longer than SECONDS, needs more than MEMORY, or opens a file outside its own folder.
"""

import io
import json
import os
import random
import resource
import signal
import sys
import tempfile
import traceback
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import numpy as np
import scipy.io
import wfdb  # noqa: F401  # imported before memory is bounded

from cgdmer import datasets, report_text, settings
from cgdmer.archives import Archive, open_archive
from cgdmer.commands.score import check_prompts
from cgdmer.demo_corpora import cpsc2018, csn, mimic_iv_ecg, ptb_xl
from cgdmer.errors import CgdmerError, DataError
from cgdmer.evaluation import zero_shot
from cgdmer.recordings import ArrayMetadata
from cgdmer.recordings.array_metadata import from_sidecar
from cgdmer.recordings.arrays import read_csv, read_npy
from cgdmer.recordings.dicom import read_dicom
from cgdmer.recordings.edf import read_edf
from cgdmer.signals import LEADS
from cgdmer.waveforms import parse_header, read_record, record_bytes
from cgdmer.waveforms.matlab import read_struct
from support.clinical import dicom_bytes, edf_bytes

SECONDS = 20
MEMORY = 1 << 29
"""Bytes that a case may need beyond the memory of the warmed-up process."""
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


def header(draw: random.Random, _: Path) -> None:
    parse_header(mutate(draw.choice(list(RECORDS.values()))["r.hea"], draw), "r.hea")


def decoder(draw: random.Random, _: Path) -> None:
    files = one_of(draw.choice(list(RECORDS.values())), draw)
    record = read_record(archive_of(files), "r.hea", verify=draw.random() < 0.5)
    assert record.signal.ndim == 2
    assert record.signal.size


def fallback(draw: random.Random, _: Path) -> None:
    read_record(archive_of(one_of(draw.choice([FOREIGN, SEGMENTS]), draw)), "r.hea")


def matlab(draw: random.Random, _: Path) -> None:
    read_struct(mutate(draw.choice(STRUCTS), draw), "r.mat")


def zip_directory(draw: random.Random, folder: Path) -> None:
    (folder / "x.zip").write_bytes(mutate(ZIP, draw))
    with open_archive(folder / "x.zip") as archive:
        for name in archive.names():
            assert ".." not in name.split("/")
            archive.read(name)


def tree(draw: random.Random, folder: Path) -> None:
    """Read names that lead out of a real folder, also through links."""
    (folder / "corpus").mkdir(exist_ok=True)
    (folder / "secret").write_bytes(b"secret")
    name = mutate(draw.choice([b"../secret", b"link", b"a/../../secret", b"/etc/passwd"]), draw).decode("latin-1")
    if not (folder / "corpus/link").is_symlink():
        (folder / "corpus/link").symlink_to(folder / "secret")
    assert open_archive(folder / "corpus").read(name) != b"secret"


def table(draw: random.Random, _: Path) -> None:
    """Index a corpus of six records with one damaged table or header."""
    source = draw.choice(sorted(CORPORA))
    files = one_of(CORPORA[source], draw, draw.choice([".csv", ".csv", ".hea"] if source != "cpsc2018" else [".hea"]))
    module, corpus = datasets.module(source), settings.Corpus()
    module.read_index(module.find(archive_of(files)), corpus=corpus, index=settings.Index(), protocol=None)


def report(draw: random.Random, _: Path) -> None:
    text = mutate(b"Sinus rhythm; EKG *** normal. \n=-", draw).decode("utf-8", "replace")
    cleaned = report_text.clean([text, text[::-1]])
    assert not set("\n\r\t") & set(cleaned)
    assert report_text.clean_joined(text)
    assert report_text.word_count(text) >= 0
    assert "\n" not in report_text.normalise(text)


def edf(draw: random.Random, _: Path) -> None:
    read_edf(mutate(EDF, draw, head=256 * 13), "r.edf")


def dicom(draw: random.Random, _: Path) -> None:
    read_dicom(mutate(DICOM, draw, head=4000), "r.dcm")


def numbers(draw: random.Random, _: Path) -> None:
    """Read a damaged table, or a damaged array."""
    if draw.random() < 0.5:
        read_csv(mutate(TABLE, draw), "r.csv", STATED)
    else:
        read_npy(mutate(ARRAY, draw, head=200), "r.npy", STATED)


def sidecar(draw: random.Random, _: Path) -> None:
    from_sidecar(mutate(SIDECAR, draw), "r.json")


def prompts(draw: random.Random, folder: Path) -> None:
    (folder / "prompts.json").write_bytes(mutate(PROMPTS, draw))
    check_prompts(folder / "prompts.json")
    zero_shot.read_prompts(folder / "prompts.json", "prompts", ensemble=False)


def params(draw: random.Random, folder: Path) -> None:
    (folder / "params.yaml").write_bytes(mutate(PARAMS, draw))
    settings.load(folder / "params.yaml")


TARGETS: dict[str, tuple[Callable[[random.Random, Path], None], int]] = {
    "header": (header, 15), "decoder": (decoder, 18), "fallback": (fallback, 3), "matlab": (matlab, 12),
    "zip_directory": (zip_directory, 10), "tree": (tree, 4), "table": (table, 2), "report": (report, 6),
    "edf": (edf, 9), "dicom": (dicom, 6), "numbers": (numbers, 8), "sidecar": (sidecar, 4), "prompts": (prompts, 2),
    "params": (params, 1),
}  # fmt: skip
"""Each target with its number of cases in a hundred."""
OPENED: list[str] = []


def watch(event: str, arguments: tuple[object, ...]) -> None:
    """Record every file opened outside the temporary folder, except those that imports open."""
    if event == "open" and isinstance(arguments[0], str) and not arguments[0].startswith(tempfile.gettempdir()):
        path = os.path.realpath(arguments[0])
        if not path.startswith(("/proc/", "/sys/", "/dev/", sys.prefix, sys.base_prefix, os.path.realpath(sys.prefix))):
            OPENED.append(path)


class Hang(BaseException):
    """A case took too long."""


def hang(_signal: int, _frame: FrameType | None) -> None:
    raise Hang


def run(name: str, seed: int, folder: Path) -> bool:
    """Run one case and return True if it was refused; any other error ends the program."""
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        TARGETS[name][0](random.Random(seed), folder)
        return False
    except CgdmerError:
        return True
    except BaseException:
        sys.exit(f"target {name}, seed {seed}:\n{traceback.format_exc()}")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        if OPENED:
            sys.exit(f"target {name}, seed {seed} opened {OPENED}")


def main(cases: int, seed: int) -> None:
    """Warm up every target, bound the memory, then run the cases."""
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, hang)
    order = [name for name, (_, share) in TARGETS.items() for _ in range(share)]
    random.Random(0).shuffle(order)
    ran: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for target in TARGETS:
            for number in range(5):
                run(target, number, folder)
        sys.addaudithook(watch)
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        OPENED.clear()
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
        for number in range(cases):
            target = order[number % len(order)]
            ran[target] += 1
            refused[target] += run(target, seed + number, folder)
    sys.stdout.write(json.dumps({"cases": cases, "ran": ran, "refused": refused}) + "\n")


if __name__ == "__main__":
    if len(sys.argv) == 4:
        with tempfile.TemporaryDirectory() as scratch:
            sys.stdout.write(f"refused: {run(sys.argv[3], int(sys.argv[2]), Path(scratch))}\n")
    else:
        main(int(sys.argv[1]), int(sys.argv[2]))
