"""A digest of the code behind a trained encoder, so that results of earlier code are not taken for present ones."""

from collections.abc import Sequence
from pathlib import Path

from cgdmer.files import sha256, work_key

PACKAGE = Path(__file__).parents[1]
TRAINING = (
    "delineation/__init__.py", "delineation/beats.py", "distributed.py", "models", "objectives", "report_text.py",
    "shards", "signals", "simulator", "stages/pretrain.py", "streams", "tables.py", "training",
)  # fmt: skip
"""Files and folders of this package that decide what `train-encoder` makes of its settings."""


def digest(names: Sequence[str] = TRAINING) -> str:
    """Return 16 hex digits that change with any of these files, or the files in these folders."""
    return work_key({file.relative_to(PACKAGE).as_posix(): sha256(file) for file in files(names)})


def files(names: Sequence[str]) -> list[Path]:
    """Return the files of code, and the tables that it reads, among these files and folders of the package."""
    paths = [PACKAGE / name for name in names]
    inside = (file for path in paths for file in (path.rglob("*") if path.is_dir() else [path]))
    return sorted(file for file in inside if file.suffix in (".py", ".json", ".csv") and file.is_file())
