"""A recording as it was recorded, on a sheet of ECG paper."""

import numpy as np

from cgdmer.errors import RecordError
from cgdmer.page import printout
from cgdmer.recordings import Recording
from cgdmer.signals.leads import LEADS, canonical_leads, standard_rows


def draw(name: str, recording: Recording, start: float, seconds: float) -> str:
    """Return an SVG of the first `seconds`, unfiltered, at 25 mm/s and 10 mm/mV.

    `start` is the second of the file at which the recording begins. RecordError if it has none of the twelve leads.
    """
    return printout.standalone(_caption(name, recording, start, seconds), *_twelve_leads(recording, seconds), LEADS)


def _twelve_leads(recording: Recording, seconds: float) -> tuple[np.ndarray, float]:
    """Return the twelve leads in microvolt, NaN for those that were not recorded, and the rate; RecordError if none."""
    rows = standard_rows(recording.leads)
    leads = canonical_leads([recording.leads[row] for row in rows])
    if not leads or not recording.signal.shape[1]:
        raise RecordError(f"it holds no sample of a standard lead, but {', '.join(recording.leads)[:80]}")
    microvolt = np.full((len(LEADS), min(recording.signal.shape[1], round(seconds * recording.fs))), np.nan)
    for row, lead in zip(rows, leads, strict=True):
        microvolt[LEADS.index(lead)] = recording.signal[row, : microvolt.shape[1]].astype(np.float64) * 1000
    return microvolt, recording.fs


def _caption(name: str, recording: Recording, start: float, seconds: float) -> str:
    """Return the line below the sheet: name, seconds, scale, and what is doubtful."""
    length = recording.stored - start if recording.stored else recording.signal.shape[1] / recording.fs
    shown = f"first {seconds:g} of {length:g} s" if length > seconds else f"{length:g} s"
    if start:
        shown = f"{start:g} to {start + min(seconds, length):g} s of {start + length:g} s"
    facts = [name, f"{shown} at {recording.fs:g} Hz", "25 mm/s", "10 mm/mV", "as recorded"]
    facts += [f"doubtful: {', '.join(recording.doubts)[:120]}"] if recording.doubts else []
    return " · ".join(facts)
