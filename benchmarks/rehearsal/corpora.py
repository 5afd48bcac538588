"""Write simulated corpora as `wget --recursive` of PhysioNet leaves them: true tables, true headers, 500 Hz.

Every recording is simulated for itself, as in the demo: 3 ms per record. Processes share each corpus by record number.
"""

import hashlib
import itertools
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from cgdmer.demo_corpora import drawing

REAL = {"mimic_iv_ecg": 800_035, "ptb_xl": 21_799, "cpsc2018": 6_877, "csn": 45_152}
"""Records that the corpora publish."""
PROJECTS = {
    "mimic_iv_ecg": "mimic-iv-ecg/1.0",
    "ptb_xl": "ptb-xl/1.0.3",
    "cpsc2018": "challenge-2021/1.0.3",
    "csn": "ecg-arrhythmia/1.0.0",
}
"""Folder of each corpus below `physionet.org/files`."""
FASTER, FLOOR = 4, 300
"""Benchmarks grow this many times as fast as MIMIC-IV-ECG, up to their published sizes, and never have fewer records
than the floor, so that every task can be scored."""
SUMS = "SHA256SUMS.txt"
SIGNALS = (".hea", ".dat", ".mat")


def counts(records: int) -> dict[str, int]:
    """Return the number of records of each corpus for so many records of MIMIC-IV-ECG."""
    sizes = {source: round(FASTER * real * records / REAL["mimic_iv_ecg"]) for source, real in REAL.items()}
    benchmarks = {source: min(max(FLOOR, size), REAL[source]) for source, size in sizes.items()}
    return {**benchmarks, "mimic_iv_ecg": records}


def folder(root: Path, source: str) -> Path:
    return root / "physionet.org/files" / PROJECTS[source]


def write(root: Path, sizes: dict[str, int]) -> None:
    """Write the mirror: the corpora, checksums, licences and record lists, and a page in every folder."""
    shares = os.cpu_count() or 1
    jobs = [(root, source, size, share, shares) for source, size in sizes.items() for share in range(shares)]
    with ProcessPoolExecutor(shares, get_context("spawn")) as pool:
        lines = list(pool.map(write_share, *zip(*jobs, strict=True)))
    for number, source in enumerate(sizes):
        top = folder(root, source)
        listed = sorted(itertools.chain(*lines[number * shares : (number + 1) * shares]), key=lambda line: line[65:])
        (top / SUMS).write_text("".join(listed))
        (top / "LICENSE.txt").write_text("These records are simulated.\n")
        headers = [line[65:].strip() for line in listed if line.endswith(".hea\n")]
        if not (top / "RECORDS").exists():
            (top / "RECORDS").write_text("".join(f"{name.removesuffix('.hea')}\n" for name in headers))
    (root / "physionet.org/robots.txt").write_text("User-agent: *\n")
    for path, _, _ in os.walk(root / "physionet.org"):
        Path(path, "index.html").write_text("<title>Index</title>\n")


def write_share(root: Path, source: str, records: int, share: int, shares: int) -> list[str]:
    """Write one of `shares` parts of a corpus, with part 0 the tables too; return the lines of its checksums."""
    layout = import_module(f"cgdmer.demo_corpora.{source}")
    top, seed, sums = folder(root, source), 1 + list(REAL).index(source), []
    for name, content in _shared(layout, records, seed, share, shares):
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = b"".join(content)
        path.write_bytes(data)
        sums.append(f"{hashlib.sha256(data).hexdigest()} {name}\n")
    return sums


def _shared(layout: Any, records: int, seed: int, share: int, shares: int) -> Iterator[tuple[str, Any]]:
    """Yield the files of one share; a layout starts at record 0, so signals of other shares are passed over."""
    simulate, number = drawing.signal, itertools.count()

    def signal(*arguments: Any) -> np.ndarray:
        return simulate(*arguments) if next(number) % shares == share else np.zeros((12, 1), np.int16)

    drawing.signal = signal  # type: ignore[assignment]
    files = itertools.count()
    try:
        for name, content in layout.files(records, seed):
            mine = next(files) // 2 % shares == share if name.endswith(SIGNALS) else share == 0 and name != SUMS
            if mine:
                yield name, content
    finally:
        drawing.signal = simulate
