"""Blocks of simulated records in canonical form: simulated in worker processes, handed over as files."""

import json
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from cgdmer.errors import CgdmerError, DataError
from cgdmer.files import atomic
from cgdmer.settings import Signal, Simulated
from cgdmer.signals import LEADS, canonical
from cgdmer.simulator import draw_cases, simulate
from cgdmer.simulator.findings import stream
from cgdmer.streams import amplitudes, reference

RECORDS = 64
"""Records per block."""
FS = 500.0
"""Sampling rate in Hz at which records are simulated."""
LENGTH = 4
"""Random stream of a record for its length; the simulator has 0 to 3."""


@dataclass(frozen=True)
class Key:
    """Names a block: the stream that its records belong to, and the number of the first."""

    seed: int
    first: int

    def path(self, folder: Path) -> Path:
        """Return the file of the block."""
        return folder / f"block-{self.seed}-{self.first:010d}.npz"


@dataclass(frozen=True)
class Block:
    """n records; record `first + k` of the stream `seed` is row k, whatever block or run it belongs to."""

    signal: np.ndarray
    """int16 microvolt (n, 12, T)."""
    valid: np.ndarray
    """int32 (n,): samples before the zero padding."""
    missing: np.ndarray
    """bool (n, 12)."""
    measured: np.ndarray
    """float64 (n, M), not standardised."""
    amplitudes: np.ndarray
    """float32 (n, M)."""
    text: np.ndarray
    """The reports as JSON in UTF-8, uint8."""

    @cached_property
    def reports(self) -> list[str]:
        """The reports (n,)."""
        texts: list[str] = json.loads(self.text.tobytes())
        return texts


def lengths(key: Key, simulated: Simulated, form: Signal) -> list[float]:
    """Return the lengths in seconds of the records of a block (n,)."""
    if simulated.shortest is None or simulated.shortest >= form.seconds:
        return [form.seconds] * RECORDS
    numbers = range(key.first, key.first + RECORDS)
    return [stream(key.seed, number, LENGTH).uniform(simulated.shortest, form.seconds) for number in numbers]


def simulate_block(key: Key, simulated: Simulated, form: Signal, folder: Path) -> None:
    """Write a block, unless it is there; DataError names the record that cannot be brought into canonical form."""
    if key.path(folder).is_file():
        return
    cases, seconds = draw_cases(key.seed, key.first, RECORDS, simulated.population), lengths(key, simulated, form)
    rows, valid = np.zeros((RECORDS, len(LEADS), form.samples), np.int16), np.zeros(RECORDS, np.int32)
    missing = np.zeros((RECORDS, len(LEADS)), bool)
    for index, case in enumerate(cases):
        number = key.first + index
        try:
            recorded = simulate([case], key.seed, number, seconds[index], FS)[0]
            row = canonical(recorded.astype(np.float32) / 1000, FS, LEADS, form, seconds[index])
        except (CgdmerError, ValueError, ArithmeticError) as error:
            raise DataError(
                f"simulated record {number} of seed {key.seed} is not usable: {error}",
                allowed="records that fit section signal of params.yaml",
                fix="change section signal, or pretraining_set.simulated.seed",
            ) from error
        rows[index], valid[index] = row.signal, row.valid
        missing[index] = row.quality["missing"] >> np.arange(len(LEADS)) & 1
    reports = [reference.report(case, key.seed, key.first + index) for index, case in enumerate(cases)]
    text = np.frombuffer(json.dumps(reports).encode(), np.uint8)
    with atomic(key.path(folder)) as temporary:
        measured = reference.measurements(cases, key.seed, key.first, seconds)
        heights = amplitudes.measure_all(rows, valid, missing, form.fs)
        np.savez(temporary, signal=rows, valid=valid, missing=missing, measured=measured, amplitudes=heights, text=text)


def read_block(key: Key, folder: Path) -> Block:
    """Read a block; DataError when the file does not match its checksums."""
    path = key.path(folder)
    try:
        with path.open("rb") as stream, np.load(stream) as content:
            return Block(**{name: content[name] for name in content.files})
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} cannot be read: {error}", fix=f"rm {path}, then run it again") from error
