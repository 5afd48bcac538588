"""Whether a recording can be an electrocardiogram in its stated unit, and what about it is doubtful.

What is impossible is refused, with the unit that is likely meant. What is doubtful is named and used. The limits are
those by which the pipeline validates a corpus.
"""

import numpy as np

from cgdmer.errors import RecordError
from cgdmer.preprocessing import drop_extra_leads
from cgdmer.settings import Signal, Validation
from cgdmer.signals import LEADS, Canonical, canonical
from cgdmer.signals.filters import RATES
from cgdmer.signals.recording import FLAT_UV
from cgdmer.waveforms import Record


class Implausible(RecordError):
    """A recording cannot be an electrocardiogram in its stated unit."""


USUAL = Validation()
FAINT_MV = 0.2
"""Amplitude below which a record is doubtful, in mV. The smallest of 795 real recordings has 0.6 mV."""
MIN_KURTOSIS = 4.0
"""Kurtosis of the most peaked lead below which no heart beats stand out; Gaussian noise has 3, a sine wave 1.5."""
MAX_ROUGHNESS = 1.05
"""Root-mean-square difference of neighbouring samples, relative to the signal's: white noise has 1.24, real recordings
up to 0.98."""
OVERFLOW_MV = 1e7
"""Values beyond this are refused before they are filtered."""
EVERY_LEAD = (1 << len(LEADS)) - 1
"""Mask of all twelve leads."""
NOTHING = "ok"
"""What the column `quality` holds for a recording without doubts."""


def checked(record: Record, form: Signal, seconds: float, start: float = 0.0) -> tuple[Canonical, tuple[str, ...]]:
    """Bring a record into canonical form, exactly as shards are written, and return it with what is doubtful about it.

    `start` is the second at which its used part begins. RecordError if it cannot be used or cannot be an ECG.
    """
    signal, leads = drop_extra_leads(record.signal, record.leads)
    if not RATES[0] <= record.fs <= RATES[1]:
        raise Implausible(f"sampling rate {record.fs:g} Hz", allowed=f"{RATES[0]:g} to {RATES[1]:g} Hz")
    used = signal[:, round(start * record.fs) :]
    _check_span(used[:, : round(seconds * record.fs)])
    result = canonical(used, record.fs, leads, form, seconds)
    if result.quality["flat"] | result.quality["missing"] == EVERY_LEAD:
        raise RecordError("every recorded lead is flat", allowed=f"at least {FLAT_UV:g} uV in one lead")
    amplitude = result.quality["amplitude_uv"] / 1000
    if amplitude > form.max_amplitude_mv:
        raise _too_large(amplitude, form.max_amplitude_mv)
    return result, doubts(result)


def check_millivolt(signal: np.ndarray, limit: float) -> None:
    """Raise RecordError if a filtered signal (L, T) is not finite or cannot be mV; `limit` is the largest amplitude."""
    if not np.isfinite(signal).all():
        raise RecordError("missing or infinite samples in a signal that should be filtered", fix="state fs")
    _check_span(signal)
    amplitude = float(np.abs(signal).max(initial=0.0))
    if amplitude > limit:
        raise _too_large(amplitude, limit)


def doubts(recording: Canonical) -> tuple[str, ...]:
    """Return what is doubtful about a recording, each as a short phrase without a semicolon."""
    quality, named = recording.quality, []
    amplitude, identity = quality["amplitude_uv"] / 1000, quality["identity_uv"] or 0.0
    if not FAINT_MV <= amplitude <= USUAL.usual_amplitude_mv:
        named.append(f"amplitude {amplitude:.3g} mV")
    if quality["clipped"] > USUAL.max_clipped:
        named.append(f"clipped {quality['clipped']:.0%}")
    if quality["flat"]:
        named.append(f"flat {' '.join(lead_names(quality['flat']))}")
    if identity > USUAL.max_identity_uv:
        named.append(f"limb leads contradict each other by {identity:.0f} uV")
    if quality["bridged"]:
        named.append(f"{quality['bridged']} samples interpolated")
    return (*named, *_of_signal(recording))


def text(named: tuple[str, ...]) -> str:
    """Return the doubts as a cell of the column `quality`."""
    return "; ".join(named) or NOTHING


def lead_names(mask: int) -> tuple[str, ...]:
    """Return the names of the leads whose bits are set in `mask`."""
    return tuple(lead for bit, lead in enumerate(LEADS) if mask >> bit & 1)


def _of_signal(recording: Canonical) -> list[str]:
    """Return the doubts that only the signal shows: equal leads, and noise instead of heart beats."""
    signal = recording.signal[:, : recording.valid].astype(np.float64)
    live = np.flatnonzero(np.ptp(signal, axis=1) >= FLAT_UV)
    if not len(live):
        return []
    named, rows = [], {signal[row].tobytes(): row for row in live}
    if len(rows) < len(live):
        named.append(f"{len(live) - len(rows) + 1} leads are identical")
    centred = signal[live] - signal[live].mean(axis=1, keepdims=True)
    square = centred * centred
    power = square.mean(axis=1)
    kurtosis = float(((square * square).mean(axis=1) / power**2).max())  # much faster than centred**4
    roughness = float(np.median(np.sqrt((np.diff(centred, axis=1) ** 2).mean(axis=1) / power)))
    if kurtosis < MIN_KURTOSIS or roughness > MAX_ROUGHNESS:
        named.append("no heart beats stand out of the noise")
    return named


def _check_span(signal: np.ndarray) -> None:
    """Raise RecordError if the values are far outside what any unit explains, before they are filtered."""
    finite = np.isfinite(signal)
    if not signal.size or not finite.any():
        return
    low = np.where(finite, signal, np.inf).min(axis=1)
    high = np.where(finite, signal, -np.inf).max(axis=1)
    largest = float(np.maximum(np.abs(low), np.abs(high)).max(where=finite.any(axis=1), initial=0.0))
    if largest > OVERFLOW_MV:
        raise _too_large(largest, OVERFLOW_MV)
    span = float((high - low).max(where=finite.any(axis=1), initial=0.0)) * 1000
    if 0 < span < FLAT_UV:
        raise Implausible(
            f"no lead spans more than {span:.3g} uV: probably the values are V stated as mV, or mV stated as uV",
            allowed=f"at least {FLAT_UV:g} uV in one lead",
        )


def _too_large(amplitude: float, limit: float) -> Implausible:
    likely = "probably raw values of the converter without their gain, or an artefact"
    if FAINT_MV <= amplitude / 1000 <= USUAL.usual_amplitude_mv:
        likely = "probably the values are uV stated as mV, or mV stated as V"
    elif FAINT_MV <= amplitude / 1e6 <= USUAL.usual_amplitude_mv:
        likely = "probably the values are uV stated as V"
    return Implausible(f"amplitude of {amplitude:,.3f} mV: {likely}", allowed=f"at most {limit:g} mV")
