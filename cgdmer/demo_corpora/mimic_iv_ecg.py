"""Simulated MIMIC-IV-ECG: record list, machine measurements with report lines, and one folder per study."""

from collections.abc import Iterator
from datetime import datetime
from functools import partial

import numpy as np

from cgdmer.datasets.mimic_iv_ecg import TITLE
from cgdmer.demo_corpora import drawing, zipping
from cgdmer.demo_corpora.drawing import Entry, stream
from cgdmer.demo_corpora.zipping import Files, Members
from cgdmer.simulator import report_lines
from cgdmer.waveforms.write import record_bytes

TOP = "mimic-iv-ecg-diagnostic-electrocardiogram-matched-subset-1.0"
LEADS = ("I", "II", "III", "aVR", "aVF", "aVL", "V1", "V2", "V3", "V4", "V5", "V6")
"""Lead order of the corpus: aVF before aVL (docs/protocols.md A.1.3)."""
ORDER = [0, 1, 2, 3, 5, 4, 6, 7, 8, 9, 10, 11]
GAIN = 200.0
"""ADC units per mV."""
STUDIES = (0.5, 0.25, 0.15, 0.1)
"""Probabilities that a subject has one to four studies."""
MISSING = -32768
GAPS, NO_REPORT = 0.005, 0.01
"""Shares of records with a gap of up to 80 ms and of records without a report; the real corpus has both."""
REPORTS = 18
NO_WAVE = 29999
"""The value of a wave that the machine did not find."""

RECORD_LIST = ("subject_id", "study_id", "file_name", "ecg_time", "path")
MEASUREMENTS = (
    *("subject_id", "study_id", "cart_id", "ecg_time", *(f"report_{line}" for line in range(REPORTS))),
    *("bandwidth", "filtering", "rr_interval", "p_onset", "p_end", "qrs_onset", "qrs_end", "t_end"),
    *("p_axis", "qrs_axis", "t_axis"),
)


def files(records: int, seed: int) -> Members:
    """Yield the signals, then the two tables."""
    yield from drawing.records(partial(_record, seed), _entries(records, seed), records)
    listed = (_listed_row(entry, seed) for entry in _entries(records, seed))
    yield "record_list.csv", zipping.table(RECORD_LIST, listed)
    yield (
        "machine_measurements.csv",
        zipping.table(MEASUREMENTS, (_measured_row(e, seed) for e in _entries(records, seed))),
    )
    yield zipping.note(TITLE)


def _record(seed: int, entry: Entry) -> Files:
    folder, name = _path(entry).rsplit("/", 1)
    digital = with_gap(digitised(drawing.signal(entry.case, seed, entry.number)), seed, entry.number)
    date = f"{_time(entry, seed):%H:%M:%S %d/%m/%Y}"
    return zipping.in_folder(folder, record_bytes(name, digital, drawing.FS, LEADS, gain=GAIN, date=date))


def digitised(microvolt: np.ndarray) -> np.ndarray:
    """Return ADC units (12, T) in the lead order of the corpus, of microvolt (12, T)."""
    return np.rint(microvolt[ORDER] * (GAIN / 1000)).astype(np.int16)


def gap(seed: int, number: int) -> slice | None:
    """Return the missing samples of a record, or None."""
    random = stream(seed, number, "gap")
    if random.random() >= GAPS:
        return None
    start = int(random.integers(100, 4800))
    return slice(start, start + int(random.integers(5, 41)))


def with_gap(digital: np.ndarray, seed: int, number: int) -> np.ndarray:
    """Mark the missing samples in some leads, in place, and return the record."""
    missing = gap(seed, number)
    if missing is not None:
        digital[: int(stream(seed, number, "gap leads").integers(1, 13)), missing] = MISSING
    return digital


def has_no_report(seed: int, number: int) -> bool:
    """Return True if a record has no report."""
    return bool(stream(seed, number, "silent").random() < NO_REPORT)


def subject(entry: Entry) -> int:
    """Return the eight-digit number of a patient; numbers are unique and cover the folders p1000 to p1999."""
    return 10_000_000 + (entry.patient * 7_368_787 + 32) % 10_000_000


def study(entry: Entry) -> int:
    """Return the eight-digit number of a record."""
    return 40_000_000 + (entry.number * 3_141_593 + 689_238) % 10_000_000


def _entries(records: int, seed: int) -> Iterator[Entry]:
    return drawing.entries(records, seed, STUDIES)


def _path(entry: Entry) -> str:
    return f"files/p{subject(entry) // 10_000}/p{subject(entry)}/s{study(entry)}/{study(entry)}"


def _time(entry: Entry, seed: int) -> datetime:
    return drawing.draw_time(stream(seed, entry.patient, "mimic_iv_ecg time"), 2110, 90, entry.visit)


def _listed_row(entry: Entry, seed: int) -> tuple[object, ...]:
    return subject(entry), study(entry), study(entry), _time(entry, seed), _path(entry)


def _measured_row(entry: Entry, seed: int) -> list[object]:
    lines = [] if has_no_report(seed, entry.number) else report_lines(entry.case, seed, entry.number)
    random, case = stream(seed, entry.number, "mimic_iv_ecg"), entry.case
    cart, filtering = 6_800_000 + int(random.integers(99_999)), "60 Hz notch Baseline filter"
    onset = round(40 + case.pr_ms)
    waves = [onset, round(onset + case.qrs_ms), round(onset + case.qt_ms)]
    p, t = random.normal(50, 15), random.normal(45, 20)
    no_p_wave = case.findings & {"atrial_fibrillation", "atrial_flutter", "supraventricular_tachycardia"}
    atrial = [NO_WAVE] * 3 if no_p_wave else [40, round(onset - 0.25 * case.pr_ms), round(p)]
    return [
        *(subject(entry), study(entry), cart, _time(entry, seed)),
        *(lines + [""] * REPORTS)[:REPORTS],
        *("0.005-150 Hz", filtering, round(60_000 / case.heart_rate)),
        *(*atrial[:2], *waves, atrial[2], round(case.axis), round(t)),
    ]
