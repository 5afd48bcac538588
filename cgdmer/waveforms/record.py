"""A recording as a file stores it: its own leads, sampling rate and length."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cgdmer.waveforms.formats import Integers

SIGNAL_LIMIT = 1 << 28
"""Bytes of the signal files of the largest record: six hours of 12 leads at 500 Hz."""


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """One recording as stored: its own leads, rate and length."""

    signal: npt.NDArray[np.float32]
    """mV (L, T); NaN where a sample is missing."""
    fs: float
    """Hz."""
    leads: tuple[str, ...]
    """Names as written."""
    comments: list[str]
    digital: Integers | None = None
    """ADC values (L, T); None if the file holds physical values or `wfdb` decoded it."""
    checksum_ok: bool | None = None
    """Whether the checksums of the header match; None if they were not compared or the header has none."""
