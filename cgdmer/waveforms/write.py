"""Write records as PhysioNet's corpora do: a WFDB header with a plain signal file or a MATLAB 4 matrix `val`."""

import struct
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from cgdmer.waveforms.header import PLAIN_NAME

_MATRIX = struct.Struct("<5i4s")
_INT16 = 30
"""MATLAB 4's type number of little-endian int16 matrices."""
FORMATS = {"16": ".dat", "16+24": ".mat"}
"""Suffix of the signal file by the format in the header; 24 is the length of the matrix's own header in bytes."""


def record_bytes(
    name: str,
    digital: npt.NDArray[np.int16],
    fs: float,
    leads: Sequence[str],
    *,
    gain: float = 1000.0,
    baseline: int = 0,
    fmt: str = "16",
    comments: Sequence[str] = (),
    date: str = "",
) -> dict[str, bytes]:
    """Return a record's files by name: header, then signal.

    `digital`: ADC values (L, T), -32768 where a sample is missing. `gain`: ADC units per mV. `date` is written verbatim
    after the sample count: WFDB writes '13:37:00 03/11/2180', the challenges '12-May-2020 12:33:59'.
    ValueError for a shape, name or text that would not read back.
    """
    if fmt not in FORMATS or not PLAIN_NAME.fullmatch(name):
        raise ValueError(f"record name {name!r} with format {fmt!r}; formats are {', '.join(FORMATS)}")
    if digital.dtype != np.int16 or digital.shape != (len(leads), digital.shape[-1]) or not digital.size:
        raise ValueError(f"{name}: int16 ({len(leads)}, T) expected, not {digital.dtype} {digital.shape}")
    for text in (date, *leads, *comments):
        if "\n" in text or "\r" in text:
            raise ValueError(f"{name}: a line break inside {text!r}")
    file, sums = name + FORMATS[fmt], digital.sum(axis=1, dtype=np.int64) % 65536
    scale = f"{file} {fmt} {float(gain)}({baseline})/mV 16 0"
    lines = [f"{name} {len(leads)} {fs:.10g} {digital.shape[1]} {date}".rstrip()]
    lines += [
        f"{scale} {first} {checksum} 0 {lead}"
        for first, checksum, lead in zip(digital[:, 0].tolist(), sums.tolist(), leads, strict=True)
    ]
    lines += [f"#{comment}" for comment in comments]
    head = _MATRIX.pack(_INT16, *digital.shape, 0, 4, b"val\0") if fmt == "16+24" else b""
    signal = head + digital.T.astype("<i2", copy=False).tobytes()
    return {f"{name}.hea": "\n".join([*lines, ""]).encode(), file: signal}
