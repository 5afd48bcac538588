"""Sampling rate, unit and lead names of files that do not state them: from options or from a JSON sidecar."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cgdmer.errors import ConfigError, RecordError, did_you_mean
from cgdmer.signals import canonical_leads
from cgdmer.waveforms.formats import FACTORS
from cgdmer.waveforms.header import MAX_FS
from cgdmer.waveforms.signal_lines import UNITS

EXAMPLE = '{"fs": 500, "unit": "mV", "leads": ["I", "II", "V1"]}'
KEYS = ("fs", "unit", "leads")
METADATA_SUFFIX = ".cgdmer.json"
"""End of the names that outputs give to their metadata; such a file is never a sidecar."""
MAX_TEXT = 40
"""Characters of a name that messages quote."""


@dataclass(frozen=True)
class ArrayMetadata:
    """What the user states about arrays and tables; None for a fact that was not stated."""

    fs: float | None = None
    """Hz."""
    unit: str | None = None
    """V, mV or uV."""
    leads: tuple[str, ...] | None = None
    """Names of the rows of an array, or of the columns of a table without a header row."""

    def validated(self) -> "ArrayMetadata":
        """Return the same facts with the unit in its standard spelling; RecordError for a bad rate, unit or lead."""
        if self.fs is not None and not 0 < self.fs <= MAX_FS:
            raise RecordError(f"fs = {self.fs}", allowed=f"a sampling rate above 0 and at most {MAX_FS:,.0f} Hz")
        if self.unit is not None and self.unit not in UNITS:
            raise RecordError(f"unit '{self.unit[:MAX_TEXT]}' is unknown", allowed="mV, V, uV")
        if self.leads is not None:
            canonical_leads(self.leads)
        return ArrayMetadata(self.fs, None if self.unit is None else UNITS[self.unit], self.leads)

    def or_default(self, default: "ArrayMetadata") -> "ArrayMetadata":
        """Return these facts, with the missing ones taken from `default`."""
        return ArrayMetadata(
            default.fs if self.fs is None else self.fs,
            default.unit if self.unit is None else self.unit,
            default.leads if self.leads is None else self.leads,
        )

    @property
    def has_fs_and_unit(self) -> bool:
        """Whether a table with lead names in its header row can be read."""
        return self.fs is not None and self.unit is not None


def sidecar_of(stem: str) -> str | None:
    """Return the name of the sidecar of a file, given its path without suffix; None if it cannot have one."""
    name = f"{stem}.json"
    return None if name.endswith(METADATA_SUFFIX) else name


def from_options(fs: float | None, unit: str | None, leads: str | None) -> ArrayMetadata:
    """Validate the command-line options; ConfigError, because a wrong one makes every file unreadable."""
    names = tuple(name.strip() for name in leads.split(",")) if leads else None
    try:
        return ArrayMetadata(fs, unit, names).validated()
    except RecordError as error:
        raise ConfigError(error.problem, allowed=error.allowed, fix="--fs 500 --unit mV --leads I,II,V1") from error


def from_sidecar(data: bytes, name: str) -> ArrayMetadata:
    """Read a JSON sidecar; RecordError if it is not JSON, has unknown keys or values of the wrong type."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"sidecar {name} is not JSON: {str(error)[:MAX_TEXT]}", allowed=EXAMPLE) from error
    if not isinstance(content, dict):
        raise RecordError(f"sidecar {name} holds {type(content).__name__}", allowed=EXAMPLE)
    for key in content:
        if key not in KEYS:
            raise RecordError(
                f"sidecar {name}: '{key[:MAX_TEXT]}' is unknown{did_you_mean(key[:MAX_TEXT], list(KEYS))}",
                allowed=", ".join(KEYS),
            )
    return _typed(content, name).validated()


def _typed(content: dict[str, Any], name: str) -> ArrayMetadata:
    fs, unit, leads = (content.get(key) for key in KEYS)
    correct = (
        (fs is None or (isinstance(fs, int | float) and not isinstance(fs, bool)))
        and (unit is None or isinstance(unit, str))
        and (leads is None or (isinstance(leads, list) and all(isinstance(lead, str) for lead in leads)))
    )
    if not correct:
        raise RecordError(f"sidecar {name}: fs is a number, unit a string, leads a list of strings", allowed=EXAMPLE)
    try:
        rate = None if fs is None else float(fs)
    except OverflowError as error:
        raise RecordError(f"sidecar {name}: fs is too large", allowed=f"at most {MAX_FS:,.0f} Hz") from error
    return ArrayMetadata(rate, unit, None if leads is None else tuple(leads))


def require_all(metadata: ArrayMetadata, name: str) -> tuple[float, float, tuple[str, ...]]:
    """Return fs, the factor to mV and the leads; RecordError if one is missing, with the ways to state it."""
    missing = [key for key in KEYS if getattr(metadata, key) is None]
    if missing or metadata.fs is None or metadata.unit is None or metadata.leads is None:
        raise RecordError(
            f"{name} does not state its {' and '.join(missing)}, and nothing is guessed: pass --fs, --unit and "
            f"--leads, or write {EXAMPLE} into a .json of the same name beside it",
            allowed="files that state them, options, or a sidecar",
        )
    return metadata.fs, FACTORS[metadata.unit], metadata.leads


def leads_first(values: np.ndarray, leads: Sequence[str], name: str) -> np.ndarray:
    """Return an array as (L, T), transposed if needed; RecordError if no axis has one entry per lead."""
    if values.ndim != 2 or len(leads) not in values.shape:
        raise RecordError(
            f"{name} holds an array {values.shape} for {len(leads)} leads",
            allowed="(leads, samples) or (samples, leads)",
        )
    return values if values.shape[0] == len(leads) else values.T
