"""Heartbeats as tokens, after HeartLang: the samples around each R peak of each lead, with their lead and time.

The R peaks come from WFDB's xqrs detector, which is imported on first use.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class BeatTokens:
    """How a record becomes a sequence of heartbeat tokens."""

    count: int
    """Tokens of a record: further beats are lost, and zero rows follow fewer ones."""
    samples: int
    """Length of a token; the R peak is its middle sample."""
    detection_lead: int
    """Row of the lead whose R peaks serve all leads."""

    def __call__(self, signal: np.ndarray, fs: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return float32 tokens (count, samples) of a record `(L, T)`, and their int64 lead and time numbers (count,).

        Tokens are in the order of the leads. Leads are counted from 1, times are the second of the R peak counted from
        1, and both are 0 for rows without a beat.
        """
        peaks = r_peaks(signal[self.detection_lead], fs)
        bounds = beat_bounds(peaks, signal.shape[1], self.samples)
        tokens = np.zeros((self.count, self.samples), np.float32)
        leads, times = np.zeros((2, self.count), np.int64)
        places = [(lead, beat) for lead in range(len(signal)) for beat in range(len(peaks))]
        for row, (lead, beat) in enumerate(places[: self.count]):
            start, end = bounds[beat]
            first = max(self.samples // 2 - (peaks[beat] - start), 0)
            wave = signal[lead, start:end][: self.samples - first]
            tokens[row, first : first + len(wave)] = wave
            leads[row], times[row] = lead + 1, peaks[beat] // round(fs) + 1
        return tokens, leads, times


def r_peaks(lead: np.ndarray, fs: float) -> np.ndarray:
    """Return the samples of the R peaks of a lead (T,), int64; none where the lead is constant or too short."""
    from wfdb.processing import xqrs_detect

    if len(lead) < fs or np.ptp(lead) == 0:
        return np.zeros(0, np.int64)
    return np.asarray(xqrs_detect(lead.astype(np.float64), fs=fs, verbose=False), np.int64).reshape(-1)


def beat_bounds(peaks: np.ndarray, length: int, samples: int) -> list[tuple[int, int]]:
    """Return the first sample of each beat and the one behind its last, in a record of `length` samples.

    A beat reaches to the midpoints between its peak and its neighbours', and half a token beyond the outer peaks. One
    that is longer than a token is cut to a token around its peak.
    """
    half = samples // 2
    bounds = []
    for beat, peak in enumerate(peaks.tolist()):
        start = (peaks[beat - 1] + peak) // 2 if beat else max(peak - half, 0)
        if beat < len(peaks) - 1:
            end = (peak + peaks[beat + 1]) // 2
        else:
            end = min(peak + half, length) if beat else min(start + samples, length)
        if min(end, length) - start > samples:
            start = max(peak - half, 0)
            end = min(start + samples, length)
        bounds.append((int(start), int(min(end, length))))
    return bounds
