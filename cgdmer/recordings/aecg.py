"""Read annotated ECGs of HL7 version 3 (aECG, "FDA XML"): the first rhythm series.

Source: HL7 aECG Implementation Guide, final of 21 March 2005. A series holds a set of sequences: one of times, which
states the increment, and one of voltages for each lead, `origin + digit * scale`.
"""

import numpy as np

from cgdmer.errors import RecordError
from cgdmer.recordings.calibrated import MAX_QUOTED, factor, lead_rows, number, record
from cgdmer.recordings.xml_tree import Element
from cgdmer.waveforms import Record

ROOT = "AnnotatedECG"
PREFIX = "MDC_ECG_LEAD_"
"""Start of the codes of leads (ISO/IEEE 11073-10102)."""
TIMES = ("TIME_ABSOLUTE", "TIME_RELATIVE")
SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6}
DIGITS = frozenset("0123456789+- \t\r\n")
DIGITS_LIMIT = 1 << 23
"""Characters of the longest lead: about an hour at 500 Hz."""
MAX_VALUE = 1e9
"""Largest magnitude of a scale, an origin or a digit."""


def read_aecg(root: Element) -> Record:
    """Read the leads of the first rhythm series of a document; no element of the subject is read."""
    found = [series for series in root.all("component/series") if _code(series) == "RHYTHM"]
    if not found:
        raise RecordError("no series of the code RHYTHM", allowed="an aECG with a rhythm, not only a derived beat")
    sets = list(found[0].all("component/sequenceSet"))
    if len(sets) != 1:
        raise RecordError(f"{len(sets)} sequence sets", allowed="one: all leads recorded at the same time")
    sequences = list(sets[0].all("component/sequence"))
    voltages = [sequence for sequence in sequences if _code(sequence) not in TIMES]
    rows = lead_rows([_lead(sequence) for sequence in voltages])
    return record({lead: _millivolt(voltages[row], lead) for lead, row in rows.items()}, _rate(sequences))


def _code(element: Element) -> str:
    return element.required("code").attribute("code")


def _lead(sequence: Element) -> str:
    code = _code(sequence)
    if not code.startswith(PREFIX):
        raise RecordError(
            f"a sequence has the code '{code[:MAX_QUOTED]}'", allowed=f"{', '.join(TIMES)}, {PREFIX}I ..."
        )
    return code.removeprefix(PREFIX)


def _rate(sequences: list[Element]) -> float:
    """Return the sampling rate in Hz from the sequence of times."""
    times = [sequence for sequence in sequences if _code(sequence) in TIMES]
    if len(times) != 1:
        raise RecordError(f"{len(times)} sequences of times", allowed="one for all leads")
    increment = times[0].required("value/increment")
    unit = increment.attribute("unit")
    if unit not in SECONDS:
        raise RecordError(f"the unit of the increment is '{unit[:MAX_QUOTED]}'", allowed=", ".join(SECONDS))
    return 1.0 / (number(increment.attribute("value"), "the increment", 1e-6, MAX_VALUE) * SECONDS[unit])


def _millivolt(sequence: Element, lead: str) -> np.ndarray:
    """Return the voltages of a lead in mV (T,)."""
    value = sequence.required("value")
    scale, origin = value.required("scale"), value.required("origin")
    step = number(scale.attribute("value"), f"the scale of lead {lead}", -MAX_VALUE, MAX_VALUE)
    start = number(origin.attribute("value"), f"the origin of lead {lead}", -MAX_VALUE, MAX_VALUE)
    if step == 0:
        raise RecordError(f"the scale of lead {lead} is 0: it is not calibrated", allowed="a scale other than 0")
    volts = _digits(value.required("digits").text, lead) * (step * factor(scale.attribute("unit"), f"lead {lead}"))
    return np.asarray(volts + start * factor(origin.attribute("unit"), f"the origin of lead {lead}"), np.float64)


def _digits(text: str, lead: str) -> np.ndarray:
    if len(text) > DIGITS_LIMIT:
        raise RecordError(f"lead {lead} has {len(text):,} characters", allowed=f"at most {DIGITS_LIMIT:,}")
    if not set(text) <= DIGITS:
        raise RecordError(f"lead {lead} holds digits that are no whole numbers", allowed="whole numbers")
    words = text.split()
    if max(map(len, words), default=0) > len(str(int(MAX_VALUE))):
        raise RecordError(f"lead {lead} holds digits that are too long", allowed=f"at most {MAX_VALUE:,.0f}")
    try:
        return np.array(words, dtype=np.str_).astype(np.int64)
    except ValueError as error:
        raise RecordError(f"lead {lead} holds digits that are no whole numbers", allowed="whole numbers") from error
