"""The public Python API: load an encoder, read a recording."""

import os
import re
from collections.abc import Iterable, Sequence
from importlib import import_module
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cgdmer.errors import ConfigError, DataError, not_installed, printable
from cgdmer.files import check_regular

if TYPE_CHECKING:
    from cgdmer.encoders.pretrained import Pretrained
    from cgdmer.recordings import Recording

__all__ = ["load_encoder", "read_record"]

LIMITS = {
    "config.json": 1 << 24,
    "tokenizer.json": 1 << 28,
    "weights.safetensors": 1 << 36,
    "model.safetensors": 1 << 36,
}
"""Bytes of the largest files of a model, by their names here and on the hub."""
BASE = "cgdmer-base"
"""The encoder that is shipped with this package."""
MODEL_FIX = "name the folder of a model, for example --model data/models/pretrain"


def load_encoder(source: str | Path = BASE) -> "Pretrained":
    """Load the encoder that is shipped with this package, `cgdmer-base`, or another pretrained one.

    `source` is a folder, or names one in the registry (`models:/NAME@ALIAS`) or on a hub (`hf:OWNER/NAME`). A folder
    that is called cgdmer-base is `./cgdmer-base`.

    Its attributes are `fs` (Hz), `seconds`, `leads`, `unit` and `dims`; it maps (B, L, T) float mV to features.
    ConfigError if the source needs a library that is not installed, such as MLflow for the registry; DataError for a
    folder with a missing or damaged file, or with a pipe or device in the place of one, and for `cgdmer-base` if this
    package was built without it.
    """
    encoder: Pretrained
    _check_source(str(source))
    try:
        if source == BASE:
            encoder = import_module("cgdmer.encoders.cgdmer_base").open_shipped()
        elif str(source).startswith("hf:"):
            encoder = import_module("cgdmer.sharing.hub").load_encoder(str(source))
        elif str(source).startswith("models:/"):
            encoder = import_module("cgdmer.tracking.registry").load_encoder(str(source))
        else:
            encoder = import_module("cgdmer.sharing.folder").load(Path(source))
    except ModuleNotFoundError as error:
        if explained := not_installed(error):
            raise explained from error
        raise
    except RecursionError as error:
        raise DataError(f"a file of {source} is nested too deeply", fix=MODEL_FIX) from error
    return encoder


def _check_source(source: str) -> None:
    """Raise ConfigError for a malformed name in the registry, DataError if a file would never end or is too large."""
    if source.startswith("models:/"):
        if not re.fullmatch(r"models:/[\w. -]+(@[\w. -]+|/\d+)", source):
            raise ConfigError(f"'{source}' is no registered model", allowed="models:/NAME@ALIAS, models:/NAME/VERSION",
                              fix="--model models:/cgdmer-ecg-encoder@champion")  # fmt: skip
        return
    if source == BASE or source.startswith("hf:"):
        return
    folder = Path(source)
    if not folder.exists():
        raise DataError(
            f"there is no folder {printable(source)}",
            allowed=f"the folder of a model, {BASE}, models:/NAME@ALIAS, hf:OWNER/NAME",
            fix=f"name no model to use {BASE}, or train one: make demo",
        )
    for name, limit in LIMITS.items():
        try:
            check_regular(folder / name, limit)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise DataError(
                f"{printable(str(folder / name))} cannot be read: {error.strerror}", fix=MODEL_FIX
            ) from error


def read_record(
    path: str | Path,
    encoder: "Pretrained | None" = None,
    *,
    fs: float | None = None,
    unit: str | None = None,
    leads: Sequence[str] | None = None,
) -> "Recording":
    """Read one recording of any format into `.signal`, float32 mV (leads, samples) at `.fs` Hz.

    Formats: WFDB, .mat, .npy, .csv, EDF, DICOM, SCP-ECG, and XML of HL7 aECG, GE MUSE and Philips.
    With an encoder, return the signal in the form it expects: its twelve leads in order, its sampling rate, filter and
    length. Without one, return the signal as recorded. Only arrays and tables need `fs`, `unit` and `leads`, because
    they do not state them. ConfigError for an argument of the wrong type, and if `path` is not one recording;
    RecordError if it cannot be read, or has no lead that the encoder reads.
    """
    _check_types(path, encoder, fs, unit)
    recordings = import_module("cgdmer.recordings")
    metadata = recordings.ArrayMetadata(fs, unit, None if leads is None else _names(leads)).validated()
    recording: Recording = recordings.read_file(path, encoder.form if encoder else None, metadata=metadata)
    if encoder and (error := import_module("cgdmer.encoders.usable_leads").refusal(encoder, recording.signal)):
        raise error
    return recording


def _check_types(path: Any, encoder: Any, fs: Any, unit: Any) -> None:
    """Raise ConfigError for an argument of `read_record` that has the wrong type."""
    if not isinstance(path, str | os.PathLike):
        raise _wrong("path", path, "a string or a pathlib.Path", 'cgdmer.read_record("record.hea")')
    form = import_module("cgdmer.settings").Signal
    if encoder is not None and not isinstance(getattr(encoder, "form", None), form):
        source = repr(encoder) if isinstance(encoder, str) else ""
        raise _wrong("encoder", encoder, "what cgdmer.load_encoder returns", f"encoder=cgdmer.load_encoder({source})")
    if fs is not None and (isinstance(fs, bool) or not isinstance(fs, Real)):
        raise _wrong("fs", fs, "a number, in Hz", "fs=500")
    if unit is not None and not isinstance(unit, str):
        raise _wrong("unit", unit, "mV, V, uV", "unit='mV'")


def _names(leads: Any) -> tuple[str, ...]:
    """Return the names of leads; ConfigError for a single string, and for what is no list of strings."""
    allowed = "a list of names"
    if isinstance(leads, str):
        raise _wrong("leads", leads, allowed, f"leads={[name.strip() for name in leads[:80].split(',')]}")
    names: list[Any] = list(leads) if isinstance(leads, Iterable) else [None]
    if not all(isinstance(name, str) for name in names):
        raise _wrong("leads", leads, allowed, "leads=['I', 'II', 'V1']")
    return tuple(names)


def _wrong(name: str, value: Any, allowed: str, fix: str) -> ConfigError:
    return ConfigError(f"{name} = {printable(repr(value)[:80])}", allowed=allowed, fix=fix)
