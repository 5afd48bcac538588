"""WFDB annotation files (physionet.org/physiotools/wag/annot-5.htm) and the waves that they delineate."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cgdmer.errors import RecordError

SKIP, NUM, SUB, CHN, AUX = 59, 60, 61, 62, 63
"""Codes that are no annotations: a long interval, fields of the annotation before, and a text."""
ONSET, OFFSET = 39, 40
"""`(` and `)`."""
WAVES = {24: "p", 1: "qrs", 27: "t"}
"""Peaks of the three waves by code: `p`, `N` and `t`."""


@dataclass(frozen=True)
class Wave:
    """One delineated wave, in samples."""

    kind: str
    """p, qrs or t."""
    onset: int
    peak: int
    offset: int


def read_annotations(data: bytes, name: str) -> list[tuple[int, int]]:
    """Return sample and code of each annotation; RecordError if the file ends before its end mark.

    An annotation is 16 bits: a code of 6 bits, and the samples since the annotation before in 10 bits.
    """
    words = np.frombuffer(data[: len(data) // 2 * 2], "<u2").tolist()
    annotations: list[tuple[int, int]] = []
    sample, position = 0, 0
    while position < len(words):
        code, rest = words[position] >> 10, words[position] & 0x3FF
        position += 1
        if code == 0 and rest == 0:
            return annotations
        if code == SKIP:
            if position + 1 >= len(words):
                break
            interval = words[position] << 16 | words[position + 1]  # the high half comes first
            sample += interval - (1 << 32 if interval >> 31 else 0)
            position += 2
        elif code == AUX:
            position += (rest + 1) // 2
        elif code not in (NUM, SUB, CHN):
            sample += rest
            annotations.append((sample, code))
    raise RecordError(f"{name} has no end mark", allowed="a complete WFDB annotation file", fix="get the record again")


def waves(annotations: Sequence[tuple[int, int]]) -> Iterator[Wave]:
    """Yield the waves that have an onset, a peak and an offset, in order."""
    for (onset, first), (peak, code), (offset, last) in zip(
        annotations, annotations[1:], annotations[2:], strict=False
    ):
        if first == ONSET and last == OFFSET and code in WAVES:
            yield Wave(WAVES[code], onset, peak, offset)
