"""Recordings without report for pretraining: found in folders, brought into canonical form once, kept as one file."""

import hashlib
import logging
from pathlib import Path

import numpy as np

from cgdmer import environment, paths, settings
from cgdmer.errors import ConfigError, DataError
from cgdmer.files import work_key
from cgdmer.recordings import ArrayMetadata, find_recordings
from cgdmer.recordings.batches import Batch, decode, map_batches
from cgdmer.signals import LEADS
from cgdmer.streams.unlabelled import Recordings

MOST = 40_000
"""Recordings of one folder that are used at most: 1 GB at 100 Hz."""
log = logging.getLogger(__name__)


def prepare(unlabelled: settings.Unlabelled, form: settings.Signal) -> dict[str, str]:
    """Return the key of the file of each folder, after writing what is not there yet; ConfigError if one is missing."""
    root = environment.read().raw_root
    folders = {name: None if root is None else _below(root, name) for name in unlabelled.folders}
    if missing := [name for name, folder in folders.items() if folder is None]:
        raise ConfigError(
            f"pretraining_set.unlabelled.folders names {missing[0]}, "
            + (
                f"which is no folder below {root}"
                if root
                else "and CGDMER_RAW_ROOT, which it must be below, is not set"
            ),
            allowed="folders below CGDMER_RAW_ROOT, by their paths from there",
            fix="export CGDMER_RAW_ROOT=FOLDER; or remove it from params/encoder.yaml",
        )
    return {name: _prepared(name, folder, form) for name, folder in folders.items() if folder}


def _below(root: Path, name: str) -> Path | None:
    """Return the folder of that name, or None if there is none; models are told the name, so it is no absolute path."""
    return None if Path(name).is_absolute() or not (root / name).is_dir() else root / name


def _prepared(name: str, folder: Path, form: settings.Signal) -> str:
    """Return the key of a folder's recordings, which changes with the name or size of a file and the canonical form.

    A file whose content was replaced by as many bytes is not noticed.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    listing = "\n".join(f"{path.relative_to(folder)} {path.stat().st_size}" for path in files)
    key = work_key(name, hashlib.sha256(listing.encode()).hexdigest(), form.model_dump())
    if not paths.recordings(key).is_file():
        _convert(folder, form).write(paths.recordings(key))
    return key


def _convert(folder: Path, form: settings.Signal) -> Recordings:
    """Bring the recordings of a folder into canonical form; DataError if none can be used."""
    metadata = ArrayMetadata()
    batches: list[Batch] = []
    used = rejected = 0
    for batch in map_batches(find_recordings([str(folder)], metadata), metadata, form, form.seconds, decode):
        batches.append(batch)
        used, rejected = used + len(batch.ids), rejected + len(batch.rejected)
        if used >= MOST:
            log.warning("%s: only the first %d recordings are used", folder, used)
            break
    log.info("%s: %d recordings, %d files that are none or cannot be used", folder, used, rejected)
    filled = [batch for batch in batches if batch.ids]
    if not filled:
        raise DataError(
            f"{folder} holds no recording that can be used",
            allowed="recordings that cgdmer embed reads",
            fix=f"cgdmer embed {folder} lists the reasons; or remove it from pretraining_set.unlabelled.folders",
        )
    missing = [[lead in absent for lead in LEADS] for batch in filled for absent in batch.missing]
    valid = np.array([count for batch in filled for count in batch.valid], np.int32)
    return Recordings(np.concatenate([batch.signal for batch in filled]), valid, np.array(missing, bool))
