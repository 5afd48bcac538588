"""Write simulated corpora as `wget --recursive` of PhysioNet leaves them: true tables, true headers, 500 Hz.

Every recording is simulated for itself, as in the demo: 3 ms per record on one core.
"""

import hashlib
import os
from importlib import import_module
from pathlib import Path

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


def counts(records: int) -> dict[str, int]:
    """Return the number of records of each corpus for so many records of MIMIC-IV-ECG."""
    sizes = {source: round(FASTER * real * records / REAL["mimic_iv_ecg"]) for source, real in REAL.items()}
    benchmarks = {source: min(max(FLOOR, size), REAL[source]) for source, size in sizes.items()}
    return {**benchmarks, "mimic_iv_ecg": records}


def folder(root: Path, source: str) -> Path:
    return root / "physionet.org/files" / PROJECTS[source]


def write(root: Path, sizes: dict[str, int]) -> None:
    """Write the mirror: the corpora, checksums, licences and record lists, and a page in every folder."""
    for source, records in sizes.items():
        top, lines = folder(root, source), write_corpus(root, source, records)
        (top / SUMS).write_text("".join(sorted(lines, key=lambda line: line[65:])))
        (top / "LICENSE.txt").write_text("These records are simulated.\n")
        headers = [line[65:].strip() for line in lines if line.endswith(".hea\n")]
        if not (top / "RECORDS").exists():
            (top / "RECORDS").write_text("".join(f"{name.removesuffix('.hea')}\n" for name in sorted(headers)))
    (root / "physionet.org/robots.txt").write_text("User-agent: *\n")
    for path, _, _ in os.walk(root / "physionet.org"):
        Path(path, "index.html").write_text("<title>Index</title>\n")


def write_corpus(root: Path, source: str, records: int) -> list[str]:
    """Write the recordings and tables of a corpus; return the lines of its checksums."""
    layout = import_module(f"cgdmer.demo_corpora.{source}")
    top, seed, sums = folder(root, source), 1 + list(REAL).index(source), []
    for name, content in layout.files(records, seed):
        if name == SUMS:
            continue
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = b"".join(content)
        path.write_bytes(data)
        sums.append(f"{hashlib.sha256(data).hexdigest()} {name}\n")
    return sums
