"""Owns what a person states of files that say nothing of themselves: sampling rate, unit and lead names."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cgdmer.errors import ConfigError, RecordError, did_you_mean
from cgdmer.signals import canonical_leads
from cgdmer.waveforms.formats import FACTORS
from cgdmer.waveforms.signal_lines import UNITS

EXAMPLE = '{"fs": 500, "unit": "mV", "leads": ["I", "II", "V1"]}'
KEYS = ("fs", "unit", "leads")


@dataclass(frozen=True)
class Stated:
    """Facts from the command line or from a file's own sidecar; None where nothing was said."""

    fs: float | None = None
    """Hz."""
    unit: str | None = None
    """V, mV or uV."""
    leads: tuple[str, ...] | None = None
    """Names of the rows of an array, or of the columns of a table without a header."""

    def checked(self) -> "Stated":
        """Return the same with a unit as known; RecordError for a rate, unit or lead name that cannot be."""
        if self.fs is not None and not 0 < self.fs < math.inf:
            raise RecordError(f"fs = {self.fs}", allowed="a sampling rate in Hz above 0")
        if self.unit is not None and self.unit not in UNITS:
            raise RecordError(f"unit '{self.unit}' is unknown", allowed="mV, V, uV")
        if self.leads is not None:
            canonical_leads(self.leads)
        return Stated(self.fs, None if self.unit is None else UNITS[self.unit], self.leads)

    def over(self, other: "Stated") -> "Stated":
        """Fill what is not said here from `other`."""
        return Stated(
            other.fs if self.fs is None else self.fs,
            other.unit if self.unit is None else self.unit,
            other.leads if self.leads is None else self.leads,
        )

    @property
    def enough(self) -> bool:
        """Whether an array could be read: its leads may still stand in its header row."""
        return self.fs is not None and self.unit is not None


def from_command_line(fs: float | None, unit: str | None, leads: str | None) -> Stated:
    """Check flags; ConfigError, because no file can be read with a wrong one."""
    names = tuple(name.strip() for name in leads.split(",")) if leads else None
    try:
        return Stated(fs, unit, names).checked()
    except RecordError as error:
        raise ConfigError(error.problem, allowed=error.allowed, fix="--fs 500 --unit mV --leads I,II,V1") from error


def from_sidecar(data: bytes, name: str) -> Stated:
    """Read a JSON sidecar; RecordError says what is wrong with it."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"sidecar {name} is no JSON: {error}", allowed=EXAMPLE) from error
    if not isinstance(content, dict):
        raise RecordError(f"sidecar {name} holds {type(content).__name__}", allowed=EXAMPLE)
    for key in content:
        if key not in KEYS:
            raise RecordError(
                f"sidecar {name}: '{key}' is unknown{did_you_mean(str(key), list(KEYS))}", allowed=", ".join(KEYS)
            )
    return _typed(content, name).checked()


def _typed(content: dict[str, Any], name: str) -> Stated:
    fs, unit, leads = (content.get(key) for key in KEYS)
    right = (
        (fs is None or (isinstance(fs, int | float) and not isinstance(fs, bool)))
        and (unit is None or isinstance(unit, str))
        and (leads is None or (isinstance(leads, list) and all(isinstance(lead, str) for lead in leads)))
    )
    if not right:
        raise RecordError(f"sidecar {name}: fs is a number, unit a word, leads a list of words", allowed=EXAMPLE)
    return Stated(None if fs is None else float(fs), unit, None if leads is None else tuple(leads))


def complete(stated: Stated, name: str) -> tuple[float, float, tuple[str, ...]]:
    """Return fs, the factor to mV and the leads; RecordError says which is not stated and how to state it."""
    lacks = [key for key in KEYS if getattr(stated, key) is None]
    if lacks or stated.fs is None or stated.unit is None or stated.leads is None:
        raise RecordError(
            f"{name} does not say its {' and '.join(lacks)}, and nothing is guessed: state --fs, --unit and --leads, "
            f"or write {EXAMPLE} beside it into a .json of the same name",
            allowed="files that say it of themselves, or a statement",
        )
    return stated.fs, FACTORS[stated.unit], stated.leads


def oriented(values: np.ndarray, leads: Sequence[str], name: str) -> np.ndarray:
    """Return (L, T), whichever way an array lies; RecordError where no axis has as many entries as there are leads."""
    if values.ndim != 2 or len(leads) not in values.shape:
        raise RecordError(
            f"{name} holds an array {values.shape} for {len(leads)} leads",
            allowed="(leads, samples) or (samples, leads)",
        )
    return values if values.shape[0] == len(leads) else values.T
