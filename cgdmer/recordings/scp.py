"""Read SCP-ECG recordings (EN 1064, ISO 11073-91064): leads, beats and rhythm of one file.

Source: EN 1064:2005 and the tutorial of OpenECG (openecg.net). Section 3 defines the leads, section 4 the beats,
section 5 the reference beat, and section 6 the rhythm (`scp_rhythm`). Section 1, which names the patient, is not read.
"""

from cgdmer.errors import RecordError
from cgdmer.recordings import scp_rhythm
from cgdmer.recordings.calibrated import lead_rows, named, record
from cgdmer.recordings.scp_rhythm import Beat, Layout
from cgdmer.recordings.scp_sections import BEATS, CONTENTS, HUFFMAN, LEADS, REFERENCE, RHYTHM, Section, sections
from cgdmer.waveforms import Record

LEAD, BEAT = 9, 14
"""Bytes of the entries of sections 3 and 4."""
DEFAULT_TABLE = 19999
"""Number of Huffman tables that stands for the default one of annex C."""
SUBTRACTED = 1
"""Bit of the flags of section 3: the reference beat is subtracted."""
MAX_SAMPLES = 1 << 23
"""Samples of all leads together."""
NAMES = {
    1: "I", 2: "II", 3: "V1", 4: "V2", 5: "V3", 6: "V4", 7: "V5", 8: "V6", 9: "V7", 10: "V2R", 11: "V3R", 12: "V4R",
    13: "V5R", 14: "V6R", 15: "V7R", 16: "X", 17: "Y", 18: "Z", 19: "CC5", 20: "CM5", 61: "III", 62: "aVR", 63: "aVL",
    64: "aVF", 65: "-aVR", 66: "V8", 67: "V9", 68: "V8R", 69: "V9R",
}  # fmt: skip
"""Numbers of the leads that are known (EN 1064, 5.6.3)."""


def read_scp(data: bytes, name: str) -> Record:
    """Read the standard leads of an SCP-ECG file; RecordError says what is wrong or not supported."""
    with named(name):
        found = sections(data)
        _require(found, LEADS, RHYTHM)
        names, first, count, subtracted = _leads(found[LEADS])
        rows = lead_rows(names)
        length, beats = _beats(found) if subtracted else (0, ())
        layout = Layout(len(names), first, count, _is_huffman(found), length, beats)
        values, rate = scp_rhythm.millivolt(found[RHYTHM], found.get(REFERENCE), layout)
        return record({lead: values[row] for lead, row in rows.items()}, rate)


def _require(found: dict[int, Section], *numbers: int) -> None:
    for number in numbers:
        if number not in found:
            raise RecordError(f"no section {number}, which holds the {CONTENTS[number]}", allowed="a file with it")


def _leads(section: Section) -> tuple[list[str], int, int, bool]:
    """Return the names, the first sample and the number of samples of the leads, and whether beats are subtracted."""
    count, flags = section.numbers("BB", 0)
    entries = [section.numbers("IIB", 2 + LEAD * row) for row in range(count)]
    if unknown := [number for _, _, number in entries if number not in NAMES]:
        raise RecordError(f"unknown lead number {unknown[0]}", allowed=", ".join(map(str, NAMES)))
    spans = {(first, last) for first, last, _ in entries}
    if len(spans) != 1:
        raise RecordError(f"{count} leads with {len(spans)} spans of samples", allowed="leads of the same time")
    first, last = spans.pop()
    if not 1 <= first <= last or (last - first + 1) * count > MAX_SAMPLES:
        raise RecordError(
            f"{count} leads from sample {first:,} to {last:,}", allowed=f"1 to {MAX_SAMPLES:,} samples in all"
        )
    return [NAMES[number] for _, _, number in entries], first, last - first + 1, bool(flags & SUBTRACTED)


def _is_huffman(found: dict[int, Section]) -> bool:
    if HUFFMAN not in found:
        return False
    (tables,) = found[HUFFMAN].numbers("H", 0)
    if tables != DEFAULT_TABLE:
        raise RecordError(f"{tables} Huffman tables of its own", allowed="the default table, or no compression")
    return True


def _beats(found: dict[int, Section]) -> tuple[int, tuple[Beat, ...]]:
    """Return the milliseconds of the reference beat, and where it was subtracted: at the beats of type 0."""
    _require(found, BEATS, REFERENCE)
    milliseconds, fiducial, count = found[BEATS].numbers("HHH", 0)
    entries = [found[BEATS].numbers("HIII", 6 + BEAT * row) for row in range(count)]
    return milliseconds, tuple(Beat(begin, end, middle - fiducial) for kind, begin, middle, end in entries if kind == 0)
