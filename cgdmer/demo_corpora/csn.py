"""Simulated CSN: ten-second records with SNOMED CT codes, 100 per folder, and the table of acronyms."""

import csv
import io
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from importlib import resources

from cgdmer.datasets.csn import TITLE
from cgdmer.demo_corpora import drawing, zipping
from cgdmer.demo_corpora.drawing import stream
from cgdmer.demo_corpora.zipping import Files, Members
from cgdmer.signals import LEADS
from cgdmer.simulator import Case, draw_cases
from cgdmer.waveforms.write import record_bytes

TOP = "a-large-scale-12-lead-electrocardiogram-database-for-arrhythmia-study-1.0.0"
FOLDER = 100
"""Records per folder."""

CODES: dict[str, dict[str, float]] = {
    "sinus_rhythm": {"SR": 1},
    "sinus_bradycardia": {"SB": 1},
    "sinus_tachycardia": {"ST": 1},
    "sinus_arrhythmia": {"SA": 1},
    "atrial_fibrillation": {"AFIB": 1},
    "atrial_flutter": {"AF": 1},
    "supraventricular_tachycardia": {"SVT": 0.55, "AT": 0.3, "AVNRT": 0.1, "AVRT": 0.05},
    "paced": {"PACED": 1},
    "premature_atrial": {"APB": 1},
    "premature_ventricular": {"VPB": 1},
    "bigeminy": {"VB": 1},
    "first_degree_av_block": {"1AVB": 0.75, "AVB": 0.15, "PRIE": 0.1},
    "lbbb": {"LBBB": 1},
    "rbbb": {"RBBB": 1},
    "incomplete_rbbb": {"IVB": 0.7, "": 0.3},
    "incomplete_lbbb": {"IVB": 0.7, "": 0.3},
    "ivcd": {"IDC": 1},
    "wpw": {"WPW": 0.7, "VPE": 0.3},
    "anterior_infarction": {"MIFW": 0.5, "MIFW AQW": 0.3, "AQW": 0.2},
    "septal_infarction": {"MI": 0.4, "MI AQW": 0.2, "AQW": 0.4},
    "inferior_infarction": {"MILW": 0.4, "MILW AQW": 0.3, "AQW": 0.3},
    "lateral_infarction": {"MISW": 0.7, "AQW": 0.3},
    "posterior_infarction": {"MIBW": 1},
    "st_depression": {"STDD": 1},
    "st_elevation": {"STE": 0.65, "STTU": 0.15, "ERV": 0.2},
    "t_inversion": {"TWO": 1},
    "low_t": {"TWC": 1},
    "nonspecific_st": {"STTC": 1},
    "nonspecific_t": {"TWC": 1},
    "long_qt": {"QTIE": 1},
    "ischemia_anterior": {"STTC": 0.5, "TWO": 0.3, "STDD": 0.2},
    "ischemia_inferior": {"STTC": 0.5, "TWO": 0.3, "STDD": 0.2},
    "lvh": {"LVH": 1},
    "rvh": {"RVH": 1},
    "left_atrial_enlargement": {"PWC": 1},
    "right_atrial_enlargement": {"RAH": 0.5, "PWC": 0.5},
    "low_voltage": {"LVQRSLL": 0.6, "LVQRSAL": 0.4},
    "abnormal_q": {"AQW": 1},
}
"""Acronyms of each finding, with their probabilities. No finding leads to CR, CCR, UW, 2AVB, 2AVB1, JEB or VEB."""

PLAUSIBLE = ("TWC", "STTC", "ALS", "SA", "LVH", "AQW")
"""Acronyms that a slip may add."""
NOT_IN_TABLE = {"PACED": "251266004"}
"""A code that the real headers use but the real table lacks; such a record belongs to no task."""


def files(records: int, seed: int) -> Members:
    """Yield the header and `.mat` of each record, then the lists and the table of acronyms."""
    yield from drawing.records(partial(_record, seed, _snomed() | NOT_IN_TABLE), range(records), records)
    yield from _lists(records)
    yield "ConditionNames_SNOMED-CT.csv", ["\ufeff".encode(), _table()]
    yield zipping.note(TITLE, "ConditionNames_SNOMED-CT.csv: from that corpus, Zheng et al. 2022, CC BY 4.0.")


def _record(seed: int, snomed: Mapping[str, str], number: int) -> Files:
    (case,) = draw_cases(seed, number, 1)
    digital = drawing.signal(case, seed, number)
    comments = [
        *(f"Age: {_age(case, seed, number)}", f"Sex: {case.sex.title()}"),
        f"Dx: {','.join(snomed[name] for name in acronyms(case, seed, number))}",
        *("Rx: Unknown", "Hx: Unknown", "Sx: Unknown"),
    ]
    date = f"{datetime(2021, 3, 23, 20, 20, 47) + timedelta(seconds=5 * number):%d-%b-%Y %H:%M:%S}"
    record = record_bytes(_name(number), digital, drawing.FS, LEADS, fmt="16+24", comments=comments, date=date)
    return zipping.in_folder(_folder(number), record)


def acronyms(case: Case, seed: int, number: int) -> list[str]:
    """Return the acronyms of a record, including slips."""
    random = stream(seed, number, "csn labels")
    names = drawing.draw_codes(case, CODES, random)
    if case.axis < -30 or case.axis > 95:
        names.append("ALS" if case.axis < 0 else "ARS")
    return drawing.with_slips(names, PLAUSIBLE, "", random)


def _lists(records: int) -> Iterator[tuple[str, list[bytes]]]:
    folders = [_folder(first) for first in range(0, records, FOLDER)]
    for index, folder in enumerate(folders):
        numbers = range(index * FOLDER, min((index + 1) * FOLDER, records))
        yield f"{folder}/RECORDS", ["".join(f"{_name(number)}\n" for number in numbers).encode()]
    yield "RECORDS", ["".join(f"{folder}/\n" for folder in folders).encode()]


def _table() -> bytes:
    return resources.files(__package__).joinpath("condition_names.csv").read_bytes()


def _snomed() -> dict[str, str]:
    rows = csv.DictReader(io.StringIO(_table().decode()))
    return {row["AcronymName"]: row["Snomed_CT"] for row in rows}


def _age(case: Case, seed: int, number: int) -> str:
    """Return the age in years or, rarely, NaN, as in the real headers."""
    return "NaN" if stream(seed, number, "csn age").random() < 0.005 else f"{case.age:.0f}"


def _name(number: int) -> str:
    return f"JS{number + 1:05d}"


def _folder(number: int) -> str:
    """Return the folder of a record: 01/010, 01/011, ..., 02/020, ..., ten folders of 100 records in each."""
    index = number // FOLDER
    return f"WFDBRecords/{index // 10 + 1:02d}/{index + 10:03d}"
