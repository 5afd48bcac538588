"""A micro project on disk: settings, a local corpus with planted words, and the stage calls of the whole pipeline."""

import hashlib
import re
from pathlib import Path

import yaml

from cgdmer import settings
from cgdmer.demo_corpora import mimic_iv_ecg as layout

ROOT = Path(__file__).resolve().parents[2]
RECORDS, SEED = 110, 5
PLANTED = "plantedword"
"""A word of every report of the planted corpus; it may appear nowhere outside data/."""
MARKUP = "<script>alert(7)</script>"
SMALLER = {
    "corpora": {"mimic_iv_ecg": {"way": "local"}, "csn": {"records": 110}},
    "signal": {"shard_records": 32},
    "train": {"batch": 16, "checkpoint_steps": 2, "log_steps": 2},
    "embed": {"batch": 32},
}
CALLS = (
    *("code", "protocol", "acquire mimic_iv_ecg", "acquire csn", "index mimic_iv_ecg", "index csn"),
    *("shards mimic_iv_ecg", "shards csn", "validate mimic_iv_ecg", "validate csn", "pretraining_set", "pretrain"),
    *("embed cgdmer csn", "embed random csn", "probe cgdmer csn", "probe random csn", "finetune csn"),
    *("robustness cgdmer csn", "zero_shot csn", "retrieval", "disentanglement", "measurements", "report"),
)


def write_params(folder: Path, corpus: Path) -> None:
    """Write params.yaml: the demo settings, the micro settings of the tests, and even smaller ones."""
    merged = settings.read(ROOT / "params/demo.yaml")
    for layer in (settings.read(ROOT / "tests/support/params.micro.yaml"), SMALLER):
        merged = settings.merge(merged, layer)
    merged["corpora"]["mimic_iv_ecg"]["root"] = str(corpus)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "params.yaml").write_text(yaml.safe_dump(merged, sort_keys=False))


def plant(corpus: Path) -> list[str]:
    """Write a MIMIC-layout corpus whose reports hold PLANTED and markup; return its patients' and studies' numbers.

    One record has no signal file and one has half of it, so that reasons for refusal are written too.
    """
    signals = []
    for name, blocks in layout.files(RECORDS, SEED):
        path, content = corpus / name, b"".join(blocks)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_reported(content) if name == "machine_measurements.csv" else content)
        signals += [path] if path.suffix == ".dat" else []
    signals[3].unlink()
    signals[5].write_bytes(signals[5].read_bytes()[:60_000])
    return sorted({number for path in signals for number in re.findall(r"\d{8}", str(path.relative_to(corpus)))})


def _reported(table: bytes) -> bytes:
    """Put a sentence with PLANTED and markup before every report that is not empty."""
    head, *rows = table.decode().splitlines()
    at = head.split(",").index("report_0")
    written = [head]
    for number, row in enumerate(rows):
        cells = row.split(",", at)
        reports = cells[at] if cells[at].startswith(",") else f"{PLANTED} {number} {MARKUP} & more;{cells[at]}"
        written.append(",".join([*cells[:at], reports]))
    return "\n".join([*written, ""]).encode()


def digests(folder: Path) -> dict[str, str]:
    """Return the sha256 of every result, by path; hidden temporary files go when DVC runs a stage again."""
    files = [path for top in ("data", "reports") for path in (folder / top).rglob("*") if path.is_file()]
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(files)
        if not path.name.startswith(".")
    }
