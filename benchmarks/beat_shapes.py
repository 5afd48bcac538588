"""Make `cgdmer/simulator/beat_shapes.json`: the mean and the principal components of real median beats.

`python -m benchmarks.beat_shapes --root FOLDER --output FILE` reads CODE-15 %, LUDB and Chapman-Shaoxing-Ningbo below
the folder, as far as they are there, and prints what it used. The file holds aggregate statistics only.
"""

import argparse
import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import wfdb
from scipy import ndimage, signal

from cgdmer.errors import CgdmerError
from cgdmer.simulator import beat_shapes as shapes
from cgdmer.simulator.draws import bump

FS, BEFORE, AFTER = 500, 200, 400
"""Rate in Hz, and samples of a beat before and after its R peak."""
LEADS = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
CUTOFF, COMPONENTS, P_COMPONENTS = 40.0, 32, 8
RIDGE, U_RIDGE, P_RIDGE = 0.01, 0.3, 0.05


class Recording(NamedTuple):
    """The eight independent leads (8, T) in mV at 500 Hz, and age and sex if they are known."""

    source: str
    leads: np.ndarray
    age: float = float("nan")
    male: float = float("nan")


class Fit(NamedTuple):
    """Coefficients of one median beat in mV."""

    source: str
    beat: np.ndarray
    """(8, 24)."""
    p_wave: np.ndarray
    """(8, 7)."""
    residual: float
    p_residual: float
    age: float
    male: float


def recordings(root: Path) -> Iterator[Recording]:
    """Yield the recordings below a folder. The gains in LUDB's headers are wrong; its raw units are microvolt."""
    table = root / "code15" / "exams_subset.csv"
    if table.is_file():
        for exam in csv.DictReader(table.open()):
            file = root / "code15" / "records" / exam["exam_id"]
            if file.with_suffix(".hea").is_file():
                record = wfdb.rdrecord(str(file))
                leads = signal.resample_poly(_chosen(record.p_signal, record.sig_name), 5, 4, axis=1)
                yield Recording("code15", leads, float(exam["age"] or "nan"), float(exam["sex"].lower() == "male"))
    for header in sorted((root / "ludb" / "data").glob("*.hea")):
        record = wfdb.rdrecord(str(header.with_suffix("")), physical=False)
        yield Recording("ludb", _chosen(record.d_signal / 1000, record.sig_name))
    for header in sorted((root / "csn" / "WFDBRecords").rglob("*.hea")):
        record = wfdb.rdrecord(str(header.with_suffix("")))
        yield Recording("csn", _chosen(record.p_signal, record.sig_name))


def _chosen(values: np.ndarray, names: list[str]) -> np.ndarray:
    upper = [name.upper() for name in names]
    return np.nan_to_num(values.T[[upper.index(name) for name in LEADS]])


def find_beats(leads: np.ndarray, fs: float) -> np.ndarray:
    """Return the samples of R peaks in leads (L, T): maxima of the squared, smoothed slope over all leads.

    Not those of `cgdmer.delineation`, so that a change there does not change the statistics that are made here.
    """
    energy = ndimage.uniform_filter1d(np.square(np.gradient(leads, axis=1)).sum(0), round(0.08 * fs))
    height = max(0.3 * np.quantile(energy, 0.98), 1e-9)
    return np.asarray(signal.find_peaks(energy, height=height, distance=round(0.25 * fs))[0])


def median_beat(leads: np.ndarray) -> tuple[np.ndarray, float] | None:
    """Return the median of the aligned regular beats (8, 600) in mV and the RR interval in samples; None if too few."""
    smooth = signal.sosfiltfilt(signal.butter(4, CUTOFF, fs=FS, output="sos"), leads, axis=1)
    peaks = find_beats(signal.sosfiltfilt(signal.butter(2, 1, "high", fs=FS, output="sos"), smooth, axis=1), FS)
    gaps = np.diff(peaks)
    usual = np.median(gaps) if len(gaps) > 2 else 0
    regular = [
        peaks[k]
        for k in range(1, len(peaks) - 1)
        if abs(gaps[k - 1] - usual) < 0.2 * usual and gaps[k] > 0.8 * usual
        and peaks[k] > BEFORE + 12 and peaks[k] + AFTER + 12 < leads.shape[1]
    ]  # fmt: skip
    if len(regular) < 3:
        return None
    cut = np.stack([smooth[:, p - BEFORE : p + AFTER] for p in regular])
    reference = np.median(np.diff(cut), axis=0)[:, 150:260]
    beats = []
    for peak, beat in zip(regular, cut, strict=True):
        slope = np.diff(beat)
        shift = max(range(-12, 13), key=lambda d: float((slope[:, 150 + d : 260 + d] * reference).sum()))
        beats.append(smooth[:, peak + shift - BEFORE : peak + shift + AFTER])
    aligned = np.stack(beats)
    aligned = aligned - aligned[:, :, BEFORE - 45 : BEFORE - 25].mean(2, keepdims=True)
    middle = np.median(aligned, axis=0)
    alike = [np.corrcoef(beat.ravel(), middle.ravel())[0, 1] > 0.85 for beat in aligned]
    return (_sharpened(np.median(aligned[alike], axis=0)), float(usual)) if sum(alike) > 2 else None


def _sharpened(beat: np.ndarray) -> np.ndarray:
    """Undo the loss of the low-pass filter below 48 Hz; a line through both ends is left as it is."""
    share = np.linspace(0, 1, beat.shape[1])
    line = beat[:, :5].mean(1, keepdims=True) * (1 - share) + beat[:, -5:].mean(1, keepdims=True) * share
    padded = np.pad(beat - line, ((0, 0), (0, 200)))
    frequency = np.fft.rfftfreq(padded.shape[1], 1 / FS)
    gain = np.minimum(1 + (frequency / CUTOFF) ** 8, 3.0) * np.clip((60 - frequency) / 12, 0, 1)
    sharp = np.fft.irfft(np.fft.rfft(padded) * gain, padded.shape[1])
    return np.asarray(sharp[:, : beat.shape[1]] + line)


def delineated(beat: np.ndarray) -> tuple[int, int, int]:
    """Return the samples of QRS onset and end (6 % of the largest speed) and of the end of T (tangent)."""
    speed = np.convolve(np.sqrt((np.gradient(beat, axis=1) ** 2).sum(0)), np.ones(5) / 5, "same")
    fastest = 150 + int(np.argmax(speed[150:260]))
    limit = 0.06 * speed[fastest]
    onset = end = fastest
    while onset > 60 and speed[onset - 5 : onset + 1].max() >= limit:
        onset -= 1
    while end < 420 and speed[end : end + 6].max() >= limit:
        end += 1
    size = np.sqrt(((beat - beat[:, onset - 8 : onset].mean(1, keepdims=True)) ** 2).sum(0))
    size = np.convolve(size, np.ones(15) / 15, "same")
    begin = end + 30
    peak = begin + int(np.argmax(size[begin : min(begin + 190, 560)]))
    slope = np.gradient(size)
    steep = peak + int(np.argmin(slope[peak : min(peak + 60, 590)]))
    return onset, end, min(steep + int(min(size[steep] / max(-slope[steep], 1e-9), 60)), 598)


def fitted(recording: Recording) -> Fit | None:
    """Fit the bumps to the median beat of a recording; None if it has none or an interval is unusual."""
    found = median_beat(recording.leads)
    if found is None:
        return None
    beat, rr = found
    onset, end, t_end = delineated(beat)
    qrs, qt = (end - onset) * 2.0, (t_end - onset) * 2.0
    peak = _p_peak(beat, onset) if onset > 135 else 0
    high = int(min(t_end + 60, beat.shape[1], onset + rr - (onset - peak) - 45))
    if not (66 <= qrs <= 118 and 260 <= qt <= 520 and qt - qrs > 150 and peak > 55 and high >= t_end + 20):
        return None
    pr = (onset - peak) * 2.0 + shapes.P_PEAK
    beat = beat - beat[:, peak - 52 : peak - 36].mean(1, keepdims=True)
    courses = shapes.bumps((np.arange(onset - 14, high) - onset) * 2.0, qrs, qt, pr)
    penalty = np.full(len(courses), RIDGE)
    penalty[-2] = U_RIDGE
    coefficients, residual = _ridge(courses, beat[:, onset - 14 : high], penalty)
    low, high = max(peak - 38, 0), min(peak + 38, onset - 6)
    shift = shapes.bumps((np.arange(low, high) - onset) * 2.0, qrs, qt, pr)[-1]
    atrial = beat[:, low:high] - coefficients[:, -1:] * shift
    late = (np.arange(low, high) - peak) * 2.0
    centres = [(k - (shapes.P_BUMPS - 1) / 2) * shapes.P_SPACING for k in range(shapes.P_BUMPS)]
    p_courses = np.stack([bump((late - centre) / shapes.P_WIDTH) for centre in centres])
    p_wave, p_residual = _ridge(p_courses, atrial, np.full(len(p_courses), P_RIDGE))
    return Fit(recording.source, coefficients, p_wave, residual, p_residual, recording.age, recording.male)


def _p_peak(beat: np.ndarray, onset: int) -> int:
    window = beat[:, onset - 135 : onset - 15]
    line = window[:, :8].mean(1, keepdims=True) * (1 - np.linspace(0, 1, window.shape[1]))
    size = np.sqrt(((window - line - beat[:, onset - 8 : onset - 2].mean(1, keepdims=True)) ** 2).sum(0))
    return int(np.argmax(np.convolve(size, np.ones(9) / 9, "same")[20:105])) + 20 + onset - 135


def _ridge(courses: np.ndarray, target: np.ndarray, penalty: np.ndarray) -> tuple[np.ndarray, float]:
    """Return coefficients (8, k) of courses (k, n) for a target (8, n), and the share of energy that they miss."""
    coefficients = np.linalg.solve(courses @ courses.T + np.diag(penalty), courses @ target.T).T
    return coefficients, float(((target - coefficients @ courses) ** 2).sum() / (target**2).sum())


def _usual(rows: np.ndarray, kept: np.ndarray, floor: float, rounds: int) -> np.ndarray:
    """Drop rows of which more than 6 % of the numbers are beyond five robust deviations."""
    for _ in range(rounds):
        middle = np.median(rows[kept], axis=0)
        deviation = 1.4826 * np.median(np.abs(rows[kept] - middle), axis=0) + floor
        kept = kept & ((np.abs((rows - middle) / deviation) > 5).mean(1) < 0.06)
    return kept


def _components(rows: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Return mean, components times their deviations, standard scores, and the explained share of the variance."""
    mean = rows.mean(0)
    left, sizes, right = np.linalg.svd(rows - mean, full_matrices=False)
    scale = np.sqrt(len(rows) - 1)
    explained = float((sizes[:count] ** 2).sum() / (sizes**2).sum())
    return mean, right[:count] * sizes[:count, None] / scale, left[:, :count] * scale, explained


def statistics(fits: list[Fit]) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Return the content of the file and what was used."""
    beats, p_waves = np.stack([fit.beat for fit in fits]), np.stack([fit.p_wave for fit in fits])
    size = np.sqrt((beats[:, :, : shapes.QRS_BUMPS] ** 2).mean((1, 2)))
    p_size = np.sqrt((p_waves**2).mean((1, 2)))
    relative, p_relative = beats / size[:, None, None], p_waves / p_size[:, None, None]
    upright = relative[:, :, shapes.LATE][:, :, 3:8].sum(2)
    kept = np.array([fit.residual < 0.06 for fit in fits])
    kept &= (upright[:, 0] > -0.1) & (upright[:, 1] > 0) & (upright[:, 6] > 0.1) & (upright[:, 5] > 0)
    kept = _usual(relative.reshape(len(fits), -1), kept, 0.02, 3)
    p_kept = kept & (p_waves[:, 1, 2:5].mean(1) > 0) & (p_relative[:, 0, 2:5].mean(1) > -0.2)
    p_kept &= np.array([fit.p_residual < 0.15 for fit in fits])
    p_kept = _usual(p_relative.reshape(len(fits), -1), p_kept, 0.05, 2)
    mean, components, scores, explained = _components(relative[kept].reshape(kept.sum(), -1), COMPONENTS)
    p_mean, p_components, _, _ = _components(p_relative[p_kept].reshape(p_kept.sum(), -1), P_COMPONENTS)
    people = np.array([[1, (fit.age - 60) / 17, fit.male - 0.5] for fit in fits])[kept]
    known = np.isfinite(people).all(1)
    changes = np.linalg.lstsq(people[known], scores[known], rcond=None)[0]
    content = {
        "mean": mean.reshape(8, -1), "components": components.reshape(COMPONENTS, 8, -1),
        "age": changes[1], "male": changes[2],
        "p_mean": p_mean.reshape(8, -1), "p_components": p_components.reshape(P_COMPONENTS, 8, -1),
    }  # fmt: skip
    sources = {source: float(sum(fit.source == source for fit, one in zip(fits, kept, strict=True) if one))
               for source in ("code15", "ludb", "csn")}  # fmt: skip
    residual = float(np.median([fit.residual for fit in fits]))
    return content, {**sources, "P waves": float(p_kept.sum()), "explained": explained, "residual": residual}


def main() -> None:
    """Write the file and print what was used."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="folder with code15, ludb and csn")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    fits = [fit for recording in recordings(arguments.root) if (fit := fitted(recording)) is not None]
    if len(fits) <= COMPONENTS:
        raise CgdmerError(
            f"{arguments.root} has {len(fits)} usable recordings", fix="name the folder with the real sets"
        )
    content, used = statistics(fits)
    lines = [
        f'"{name}": ' + json.dumps(np.round(value, 3).tolist()).replace(" ", "") for name, value in content.items()
    ]
    arguments.output.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(json.dumps({"name": "beat_shapes", **used}))


if __name__ == "__main__":
    main()
