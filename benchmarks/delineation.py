"""Compare the delineation with LUDB's cardiologists, lead by lead and over all leads, beside neurokit2 if installed.

The rules were chosen on the records with odd numbers; the table is of those with even numbers (`--half odd` shows the
others). Only what lies between the first and the last wave that the experts marked in a lead is counted, because they
left out incomplete beats. Run: python -m benchmarks.delineation [--half even] [--neurokit 20]
"""

import argparse
import itertools
import json
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measuring import machine
from cgdmer.archives import Archive, open_archive
from cgdmer.commands.measure import FORM
from cgdmer.delineation.measurements import measure as measure_beat
from cgdmer.delineation.recording import WAVES, delineate
from cgdmer.external import ludb
from cgdmer.external.annotations import Wave
from cgdmer.external.delineation import Delineated, measure
from cgdmer.signals import LEADS
from cgdmer.signals.filters import band_pass
from cgdmer.waveforms import Record

SHARED = Path(os.environ.get("CGDMER_TEST_SHARED", Path(__file__).resolve().parents[2] / "shared"))
WITHIN_MS = 150.0
"""An estimate farther from the experts' limit than this is another wave."""
TOLERANCE = {"p onset": 10.2, "p offset": 12.7, "qrs onset": 6.5, "qrs offset": 11.6, "t offset": 30.6}
"""Two standard deviations of experts in ms (CSE Working Party 1985, as usual in work on delineation)."""
TOGETHER_MS = 120.0
"""Waves of one kind belong to one beat while the peaks of neighbours, of any lead, are at most this far apart."""
VALUES = ("rr", "pr", "qrs", "qt", "p_axis", "qrs_axis", "t_axis")
Delineator = Callable[[Record], Delineated]


@dataclass
class Agreement:
    """Errors of one kind of limit in ms, and how many limits have no counterpart."""

    errors: list[float] = field(default_factory=list)
    missed: int = 0
    superfluous: int = 0

    def add(self, truth: np.ndarray, found: np.ndarray, fs: float) -> None:
        """Match each true limit (n,) with the nearest one that was found (m,), both in samples."""
        if not len(truth) or not len(found):
            self.missed, self.superfluous = self.missed + len(truth), self.superfluous + len(found)
            return
        gaps = (found[None] - truth[:, None]) * 1000 / fs
        nearest = gaps[np.arange(len(truth)), np.abs(gaps).argmin(axis=1)]
        near = np.abs(nearest) <= WITHIN_MS
        self.errors += nearest[near].tolist()
        self.missed += int((~near).sum())
        self.superfluous += int((np.abs(gaps).min(axis=0) > WITHIN_MS).sum())

    def summary(self) -> dict[str, float]:
        errors, count = np.array(self.errors), len(self.errors)
        return {
            "n": count,
            "mean": round(float(errors.mean()), 1),
            "sd": round(float(errors.std()), 1),
            "mae": round(float(np.abs(errors).mean()), 1),
            "sensitivity": round(count / (count + self.missed), 4),
            "ppv": round(count / (count + self.superfluous), 4),
        }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--half", choices=["even", "odd"], default="even")
    options.add_argument("--neurokit", type=int, default=0, metavar="N", help="compare neurokit2 on N records")
    chosen = options.parse_args()
    folder = SHARED / "real" / "ludb"
    if not folder.is_dir():
        raise SystemExit(f"{folder} is missing: LUDB is not here")
    archive = open_archive(folder)
    names = [name for name in names_of(archive) if int(name) % 2 == (chosen.half == "odd")]
    report("cgdmer", archive, names, ours)
    if chosen.neurokit:
        report("cgdmer, the same records as neurokit2", archive, names[: chosen.neurokit], ours)
        report("neurokit2", archive, names[: chosen.neurokit], neurokit)


def agreements() -> dict[str, Agreement]:
    return {f"{kind} {end}": Agreement() for kind in WAVES for end in ("onset", "offset")}


def names_of(archive: Archive) -> list[str]:
    """Return the numbers of the records, ascending."""
    found = [Path(name).stem for name in archive.names() if name.startswith("data/") and name.endswith(".hea")]
    return sorted(found, key=int)


def report(title: str, archive: Archive, names: list[str], delineator: Delineator) -> None:
    """Print the agreement per limit and per measurement of a record, and one line of JSON."""
    limits, common = agreements(), agreements()
    values: dict[str, list[float | None]] = {name: [] for name in VALUES}
    only_found = dict.fromkeys(VALUES, 0)
    seconds = 0.0
    for record, truth in records(archive, names):
        begin = time.process_time()
        found = delineator(record)
        seconds += time.process_time() - begin
        compare(truth, found, record.fs, limits)
        compare(over_leads(truth, record.fs), over_leads(found, record.fs), record.fs, common)
        signal = {lead: record.signal[LEADS.index(lead)] for lead in ("I", "aVF")}
        experts, program = measure(truth, signal, record.fs), measure(found, signal, record.fs)
        for name in VALUES:
            if experts[name] is not None:
                values[name].append(difference(name, program[name], experts[name]))
            only_found[name] += experts[name] is None and program[name] is not None
    result = {
        "name": "delineation",
        "of": title,
        "records": len(names),
        "limits": {name: agreement.summary() for name, agreement in limits.items()},
        "over_leads": {name: agreement.summary() for name, agreement in common.items()},
        "values": {name: spread(errors, only_found[name]) for name, errors in values.items()},
        "records_per_second": round(len(names) / seconds, 1),
        "machine": machine(),
    }
    print(table(result))
    print(json.dumps(result))


def records(archive: Archive, names: Iterable[str]) -> Iterable[tuple[Record, Delineated]]:
    """Yield each record, its leads in canonical order, and what the experts marked."""
    for name in names:
        record = ludb._record(archive, name)
        assert isinstance(record, Record), record
        assert [lead.lower() for lead in record.leads] == [lead.lower() for lead in LEADS]
        yield record, ludb.delineation(archive, name)


def ours(record: Record) -> Delineated:
    found = delineate(band_pass(record.signal, record.fs, FORM).astype(np.float64), FORM.fs)
    measure_beat(found)  # its time counts too
    scale = record.fs / FORM.fs
    return {
        lead: sorted(
            (
                Wave(kind, round(wave.onset * scale), round(wave.peak * scale), round(wave.offset * scale))
                for kind in WAVES
                for wave in found.waves(row, kind)
            ),
            key=lambda wave: wave.peak,
        )
        for row, lead in enumerate(LEADS)
    }


def neurokit(record: Record) -> Delineated:
    """Delineate each lead as `neurokit2.ecg_delineate` does by default; a lead in which it fails has no waves."""
    return {lead: _neurokit_lead(record.signal[row].astype(float), record.fs) for row, lead in enumerate(LEADS)}


def _neurokit_lead(lead: np.ndarray, fs: float) -> list[Wave]:
    import neurokit2

    try:
        clean = neurokit2.ecg_clean(lead, sampling_rate=int(fs))
        peaks = neurokit2.ecg_peaks(clean, sampling_rate=int(fs))[1]["ECG_R_Peaks"]
        found: dict[str, Any] = neurokit2.ecg_delineate(clean, peaks, sampling_rate=int(fs), method="dwt")[1]
    except (ValueError, IndexError, ZeroDivisionError, KeyError):
        return []
    middles = {"p": found["ECG_P_Peaks"], "qrs": peaks, "t": found["ECG_T_Peaks"]}
    names = {"p": "P", "qrs": "R", "t": "T"}
    waves = [
        Wave(kind, int(onset), int(peak), int(offset))
        for kind, middle in middles.items()
        for onset, peak, offset in zip(
            found[f"ECG_{names[kind]}_Onsets"], middle, found[f"ECG_{names[kind]}_Offsets"], strict=True
        )
        if np.isfinite([onset, peak, offset]).all()
    ]
    return sorted(waves, key=lambda wave: wave.peak)


def compare(truth: Delineated, found: Delineated, fs: float, limits: dict[str, Agreement]) -> None:
    """Add the limits of a record; waves that peak outside what the experts marked in a lead do not count."""
    for lead, marked in truth.items():
        if not marked:
            continue
        first, last = marked[0].onset - 0.02 * fs, marked[-1].offset + 0.02 * fs
        inside = [wave for wave in found[lead] if first <= wave.peak <= last]
        for kind in WAVES:
            for end in ("onset", "offset"):
                real, own = (np.array([getattr(w, end) for w in waves if w.kind == kind]) for waves in (marked, inside))
                limits[f"{kind} {end}"].add(real, own, fs)


def over_leads(delineated: Delineated, fs: float) -> Delineated:
    """Return the waves of the whole record as those of one lead: limits are medians over leads.

    A wave counts if at least half of the leads that are delineated at all have it.
    """
    enough = sum(map(bool, delineated.values())) / 2
    waves = []
    for kind in WAVES:
        each = sorted((w for lead in delineated.values() for w in lead if w.kind == kind), key=lambda wave: wave.peak)
        breaks = np.flatnonzero(np.diff([wave.peak for wave in each]) > TOGETHER_MS * fs / 1000) + 1
        for first, last in itertools.pairwise([0, *breaks.tolist(), len(each)]):
            if last - first >= max(1, enough):
                limits = [(wave.onset, wave.peak, wave.offset) for wave in each[first:last]]
                waves.append(Wave(kind, *(round(value) for value in np.median(limits, axis=0))))
    return {"all leads": sorted(waves, key=lambda wave: wave.peak)}


def difference(name: str, program: float | None, experts: float) -> float | None:
    if program is None:
        return None
    return (program - experts + 180) % 360 - 180 if name.endswith("axis") else program - experts


def spread(errors: list[float | None], only_found: int) -> dict[str, float]:
    """Return bias, mean and median absolute error, SD, and how often only one side has the value."""
    known = np.array([error for error in errors if error is not None])
    return {
        "n": len(known),
        "bias": round(float(known.mean()), 1),
        "mae": round(float(np.abs(known).mean()), 1),
        "median": round(float(np.median(np.abs(known))), 1),
        "sd": round(float(known.std()), 1),
        "missing": len(errors) - len(known),
        "superfluous": only_found,
    }


def table(result: dict[str, Any]) -> str:
    """Return the result as three Markdown tables."""
    lines = [f"\n{result['of']}: {result['records']} records, {result['records_per_second']} records/s of CPU time\n"]
    for title, limits in (("limit, each lead", result["limits"]), ("limit, all leads", result["over_leads"])):
        lines += [f"| {title} | n | mean | SD | 2 SD of experts | MAE | sensitivity | PPV |", f"|---|{'---:|' * 7}"]
        lines += [
            f"| {name} | {one['n']} | {one['mean']:+.1f} | {one['sd']} | {TOLERANCE.get(name, '-')} | {one['mae']} "
            f"| {one['sensitivity']:.1%} | {one['ppv']:.1%} |"
            for name, one in limits.items()
        ]
        lines.append("")
    lines += ["| value | n | bias | MAE | median | SD | missing | superfluous |", f"|---|{'---:|' * 7}"]
    for name, one in result["values"].items():
        lines.append(
            f"| {name} | {one['n']} | {one['bias']:+.1f} | {one['mae']} | {one['median']} | {one['sd']} "
            f"| {one['missing']} | {one['superfluous']} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
