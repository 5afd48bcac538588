"""The records of a request to the served ECG encoder: parsed and checked one by one, then encoded together.

A record that cannot be used is answered with its reason, and the others are served. What concerns the whole request,
such as an impossible sampling rate, is an error.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cgdmer.encoders.pretrained import Pretrained
from cgdmer.encoders.usable_leads import refusal
from cgdmer.errors import ConfigError, RecordError
from cgdmer.recordings import plausibility
from cgdmer.recordings.array_metadata import ArrayMetadata
from cgdmer.recordings.arrays import read_npy
from cgdmer.signals import canonical_leads
from cgdmer.signals.filters import RATES
from cgdmer.tracking.served_errors import sentence
from cgdmer.waveforms import Record

MAX_RECORDS = 1024
"""Records of the largest request."""
MAX_VALUES = 1 << 24
"""Numbers of the largest request: 279 recordings of 12 leads, 10 s, 500 Hz."""
FS_FIX = 'state the sampling rate: "params": {"fs": 500}'


@dataclass(frozen=True, eq=False)
class Prepared:
    """A record as the encoder takes it, or the reason why it cannot be used."""

    signal: np.ndarray
    """float32 mV (L, T), zero after `valid` samples."""
    valid: int = 0
    quality: str = ""
    """What is doubtful, or `ok`; empty for a record that cannot be used."""
    reason: str = ""


def answer(encoder: Pretrained, inputs: Any, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return representation to features `(B, D)`, and `valid`, `reason` and `quality` of each record.

    If a record is not valid, features are lists, with None in its place. ConfigError if the request is wrong as a
    whole: too large, a bad sampling rate, unknown leads, or records that are too long without a sampling rate.
    """
    fs = float(params.get("fs") or 0.0)
    leads = canonical_leads([str(name) for name in params.get("leads", encoder.leads)])
    if fs and not RATES[0] <= fs <= RATES[1]:
        raise ConfigError(f"fs = {fs:g}", allowed=f"{RATES[0]:g} to {RATES[1]:g} Hz", fix=FS_FIX)
    records = [_prepare(one, encoder, fs, leads) for one in _listed(inputs)]
    rows = [number for number, record in enumerate(records) if not record.reason]
    features = _encode(encoder, [records[row] for row in rows], None if fs else leads)
    finite = np.all([np.isfinite(values).all(axis=1) for values in features.values()], axis=0)
    reasons = [record.reason for record in records]
    for place in np.flatnonzero(~finite):
        reasons[rows[place]] = "its features are not finite"
    places = {row: place for place, row in enumerate(rows) if finite[place]}
    complete = len(places) == len(records)
    answered: dict[str, Any] = {
        name: values if complete else [values[places[row]] if row in places else None for row in range(len(records))]
        for name, values in features.items()
    }
    return answered | {
        "valid": [row in places for row in range(len(records))],
        "reason": reasons,
        "quality": [record.quality for record in records],
    }


def _listed(inputs: Any) -> list[Any] | np.ndarray:
    """Return the records of a request; ConfigError if there are none or too many, or if they hold too many numbers."""
    if not isinstance(inputs, list | np.ndarray) or getattr(inputs, "ndim", 1) == 0 or not len(inputs):
        raise ConfigError("the request holds no list of records", allowed='{"inputs": [RECORD, ...]}')
    if len(inputs) > MAX_RECORDS:
        raise ConfigError(f"{len(inputs)} records", allowed=f"at most {MAX_RECORDS}", fix="send several requests")
    values = sum(map(_size, inputs))
    if values > MAX_VALUES:
        raise ConfigError(f"{values:,} numbers", allowed=f"at most {MAX_VALUES:,}", fix="send several requests")
    return inputs


def _size(one: Any) -> int:
    """Return how many numbers a record holds, without converting it; of base64, at most as many."""
    if isinstance(one, str):
        return len(one) * 3 // 4
    if isinstance(one, np.ndarray):
        return sum(map(_size, one.ravel())) if _holds_lists(one) else one.size
    if not isinstance(one, list):
        return 1
    return sum(map(_size, one)) if one and isinstance(one[0], list) else len(one)


def _holds_lists(one: np.ndarray) -> bool:
    """Return True for the array of objects that NumPy makes of nested lists of different lengths."""
    return one.dtype == object and one.size > 0 and isinstance(one.flat[0], list)


def _prepare(one: Any, encoder: Pretrained, fs: float, leads: Sequence[str]) -> Prepared:
    """Parse and check one record; what is wrong with it is its reason."""
    try:
        signal = _array(one, fs or encoder.fs, leads)
        return _recording(signal, encoder, fs, leads) if fs else _canonical(signal, encoder)
    except RecordError as error:
        return Prepared(np.zeros((0, 0), np.float32), reason=sentence(error))


def _array(one: Any, fs: float, leads: Sequence[str]) -> np.ndarray:
    """Return a record as float32 (L, T): from nested lists, in which null is a missing sample, or base64 of an .npy."""
    if isinstance(one, str):
        try:
            data = base64.b64decode(one, validate=True)
        except (binascii.Error, ValueError) as error:
            raise RecordError("the text is not base64", allowed="nested lists, or base64 of an .npy file") from error
        return read_npy(data, "the array", ArrayMetadata(fs, "mV", tuple(leads))).signal
    try:
        rows = one.tolist() if isinstance(one, np.ndarray) and _holds_lists(one) else one
        signal = np.asarray(rows, np.float32)
    except (TypeError, ValueError) as error:
        raise RecordError("its rows differ in length, or hold something that is no number") from error
    if signal.ndim != 2 or signal.shape[0] != len(leads) or not signal.shape[1]:
        raise RecordError(
            f"shape {signal.shape} for {len(leads)} leads",
            allowed="(leads, samples), with the parameter leads naming the rows if they are not the twelve leads",
        )
    return signal


def _recording(signal: np.ndarray, encoder: Pretrained, fs: float, leads: Sequence[str]) -> Prepared:
    """Filter, resample and cut a recording as in training; RecordError if it cannot be an electrocardiogram."""
    form = encoder.form
    result, doubts = plausibility.checked(Record(signal, fs, tuple(leads), []), form, form.seconds)
    _check_length(result.valid, encoder)
    if error := refusal(encoder, result.signal):
        raise error
    return Prepared(result.signal.astype(np.float32) / 1000, result.valid, plausibility.text(doubts))


def _canonical(signal: np.ndarray, encoder: Pretrained) -> Prepared:
    """Take a signal as filtered and in the encoder's own rate; ConfigError if it is too long for that."""
    valid, form = signal.shape[1], encoder.form
    if valid > form.samples:
        raise ConfigError(
            f"{valid} samples without a sampling rate",
            allowed=f"at most {form.samples}: {form.seconds:g} s, filtered, at {form.fs:g} Hz",
            fix=FS_FIX,
        )
    _check_length(valid, encoder)
    plausibility.check_millivolt(signal, form.max_amplitude_mv)
    short = f"taken as {valid / form.fs:g} s at {form.fs:g} Hz, because no sampling rate is stated"
    padded = np.pad(signal, ((0, 0), (0, form.samples - valid)))
    return Prepared(padded, valid, plausibility.NOTHING if valid == form.samples else short)


def _check_length(valid: int, encoder: Pretrained) -> None:
    patch = encoder.model.settings.patch
    if valid < patch:
        raise RecordError(f"{valid} samples", allowed=f"at least one patch of {patch} samples")


def _encode(encoder: Pretrained, records: Sequence[Prepared], leads: Sequence[str] | None) -> dict[str, np.ndarray]:
    """Return the features of all usable records, (0, D) if there are none."""
    if not records:
        return {name: np.zeros((0, width), np.float32) for name, width in encoder.dims.items()}
    valid = np.array([record.valid for record in records], np.int32)
    return encoder.encode(np.stack([record.signal for record in records]), leads, valid)
