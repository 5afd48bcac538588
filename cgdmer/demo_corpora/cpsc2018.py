"""Simulated CPSC2018: records of 6 to 60 seconds with SNOMED CT codes, in folders g1 to g10."""

from functools import partial

from cgdmer.datasets.cpsc2018 import SNOMED, TITLE
from cgdmer.demo_corpora import drawing, zipping
from cgdmer.demo_corpora.drawing import stream
from cgdmer.demo_corpora.zipping import Files, Members
from cgdmer.errors import ConfigError
from cgdmer.signals import LEADS
from cgdmer.simulator import Case, draw_cases
from cgdmer.waveforms.write import record_bytes

TOP = "challenge-2021-1.0.3"
FOLDER = "training/cpsc_2018"
LARGEST = 9999
"""Most records: names run from A0001 to A9999."""
CANDIDATES = 32
"""Most cases drawn per record, because every record of the corpus shows one of its nine classes."""
NORMAL_ACCEPTANCE = 0.5
"""Probability that a normal candidate is accepted."""

CODES: dict[str, dict[str, float]] = {
    "normal": {"NORM": 1},
    "atrial_fibrillation": {"AFIB": 1},
    "first_degree_av_block": {"1AVB": 1},
    "lbbb": {"CLBBB": 1},
    "rbbb": {"CRBBB": 1},
    "premature_atrial": {"PAC": 1},
    "premature_ventricular": {"VPC": 1},
    "bigeminy": {"VPC": 1},
    "st_depression": {"STD": 1},
    "st_elevation": {"STE": 1},
}
"""Codes of each finding, with their probabilities."""
PLAUSIBLE = ("STD", "PAC", "VPC", "1AVB", "STE")
"""Codes that a slip may add."""

_SNOMED = {name: code for code, name in SNOMED.items()}


def files(records: int, seed: int) -> Members:
    """Yield the header and `.mat` of each record, then the lists of the folders."""
    if records > LARGEST:
        raise ConfigError(
            f"cpsc2018 cannot number {records} records",
            allowed=f"up to {LARGEST}",
            fix="lower corpora.cpsc2018.records in params.yaml",
        )
    yield from drawing.records(partial(_record, seed), range(records), records)
    for folder in dict.fromkeys(_folder(number) for number in range(records)):
        names = (_name(number) for number in range(records) if _folder(number) == folder)
        yield f"{folder}/RECORDS", ["".join(f"{name}\n" for name in names).encode()]
    yield zipping.note(TITLE)


def _record(seed: int, number: int) -> Files:
    candidate, case = _case(seed, number)
    digital = drawing.signal(case, seed, candidate, seconds(seed, number))
    comments = [
        *(f"Age: {case.age:.0f}", f"Sex: {case.sex.title()}", f"Dx: {_codes(case, seed, number)}"),
        *("Rx: Unknown", "Hx: Unknown", "Sx: Unknown"),
    ]
    record = record_bytes(
        _name(number), digital, drawing.FS, LEADS, fmt="16+24", comments=comments, date="12-May-2020 12:33:59"
    )
    return zipping.in_folder(_folder(number), record)


def seconds(seed: int, number: int) -> float:
    """Return the length of a record in seconds: mostly 8 to 20, rarely as short as 6 or as long as 60."""
    drawn = stream(seed, number, "cpsc2018 length").lognormal(2.5, 0.42)
    return min(max(round(drawn * 2) / 2, 6.0), 60.0)


def _case(seed: int, number: int) -> tuple[int, Case]:
    """Return the first accepted candidate that shows a class, with its number."""
    random = stream(seed, number, "cpsc2018 choice")
    for candidate in range(number * CANDIDATES, (number + 1) * CANDIDATES):
        (case,) = draw_cases(seed, candidate, 1)
        if case.findings & CODES.keys() and ("normal" not in case.findings or random.random() < NORMAL_ACCEPTANCE):
            break
    return candidate, case


def _codes(case: Case, seed: int, number: int) -> str:
    random = stream(seed, number, "cpsc2018 labels")
    names = drawing.with_slips(drawing.draw_codes(case, CODES, random), PLAUSIBLE, "NORM", random)
    return ",".join(_SNOMED[name] for name in names)


def _name(number: int) -> str:
    return f"A{number + 1:04d}"


def _folder(number: int) -> str:
    return f"{FOLDER}/g{(number + 1) // 1000 + 1}"
