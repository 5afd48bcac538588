"""The public Python API: open an encoder, read a recording."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cgdmer.encoders.cgdmer import Pretrained
    from cgdmer.recordings import Recording

__all__ = ["load_encoder", "read_record"]


def load_encoder(source: str | Path) -> "Pretrained":
    """Open a pretrained encoder from the folder with its weights, or from the registry: `models:/NAME@ALIAS`.

    It says its `fs` (Hz), `seconds`, `leads`, `unit` and `dims`, and maps (B, L, T) float mV to features.
    """
    opened: Pretrained
    if str(source).startswith("models:/"):
        opened = import_module("cgdmer.tracking.registry").load_encoder(str(source))
    else:
        opened = import_module("cgdmer.encoders.cgdmer").open_folder(Path(source))
    return opened


def read_record(
    path: str | Path,
    encoder: "Pretrained | None" = None,
    *,
    fs: float | None = None,
    unit: str | None = None,
    leads: Sequence[str] | None = None,
) -> "Recording":
    """Read one recording (WFDB, .mat, .npy, .csv, EDF, DICOM) into `.signal`, float32 mV (leads, samples) at `.fs` Hz.

    With an encoder it comes as that encoder takes it: twelve leads in order, its rate, filter and length; without, as
    recorded. `fs`, `unit` and `leads` are needed for arrays alone, which do not say them.
    """
    recordings = import_module("cgdmer.recordings")
    stated = recordings.Stated(fs, unit, None if leads is None else tuple(leads)).checked()
    found: Recording = recordings.read_file(path, encoder.form if encoder else None, stated=stated)
    return found
