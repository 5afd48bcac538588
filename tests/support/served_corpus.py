"""A small corpus on a real server, as files with their checksums or as one zip, and its download."""

import io
import random
import zipfile
from collections import namedtuple
from pathlib import Path

from cgdmer.acquisition.connection import Policy
from cgdmer.acquisition.download import download
from support.scripted_server import Fault, Server, checksums

QUICK = Policy(
    attempts=3, progress_bytes=1 << 30, backoff=0.001, backoff_max=0.002, connect_timeout=2.0, read_timeout=1.0
)
NOISE = random.Random(2)
FILES = {
    "ptbxl_database.csv": b"ecg_id\n1\n",
    "LICENSE.txt": b"CC BY 4.0\n",
    "records100/00000/00001_lr.dat": NOISE.randbytes(1_000),
    **{f"records500/00000/{number:05d}_hr.dat": NOISE.randbytes(30_000) for number in range(12)},
    "records500/00000/a name with blank & more.hea": b"x 12 500 5000\n",
}
SAME = {**FILES, "records500/copy.dat": FILES["records500/00000/00003_hr.dat"]}
DISK = namedtuple("DISK", "total used free")


def get(server: Server, wanted: str = "", url: str = "ptb-xl/1.0.3/") -> Path:
    folder = Path("data/raw/ptb_xl")
    download("ptb_xl", f"{server.url}/{url}", wanted, folder, QUICK)
    return folder / "ptb_xl.zip"


def content(archive: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(archive) as source:
        assert source.testzip() is None
        return {name: source.read(name) for name in source.namelist()}


def fail(server: Server, path: str, fault: Fault, times: int = 6) -> None:
    server.faults[f"ptb-xl/1.0.3/{path}"] += [fault] * times


def zipped(files: dict[str, bytes], top: str = "ptb-xl-1.0.3/", sums: bytes | None = None) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        for path, body in {**files, "SHA256SUMS.txt": checksums(files) if sums is None else sums}.items():
            target.writestr(top + path, body)
    return buffer.getvalue()
