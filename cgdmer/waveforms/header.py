"""Read WFDB headers (physionet.org/physiotools/wag/header-5.htm): record line, files, comments."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from cgdmer.errors import RecordError
from cgdmer.waveforms.signal_lines import MAX_FIELD, Layout, signal_lines

HEADER_LIMIT = 1 << 20
"""Bytes of the largest header that is read."""
MAX_LINE = 1000
"""Characters of the longest record or signal line. A longer one is not a header, and parsing it could take long."""
MAX_LINES = 10_000
"""Most record, signal and segment lines of a header."""
MAX_FS = 100_000.0
"""Hz; no surface ECG is sampled faster."""
DEFAULT_FS = 250.0
"""Hz, the format's default for a rate that is left out."""
NO_FILE = "~"
"""Name of a signal or segment without a file, in records of several segments."""
LINE_END = re.compile(r"\r\n|\n|\r")
"""`str.splitlines` would also cut a comment at U+2028, or at the byte 0x85, which is an ellipsis in Windows-1252."""
PLAIN_NAME = re.compile(r"[\w-]+(?:\.[\w-]+)*")
"""Valid name of a record or file: no path, no leading or doubled dot."""

_FS = re.compile(r"((?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?)(?:/.*)?")
_COUNT = re.compile(r"\d{1,12}")
_FIX = "correct the header, or leave the record in quarantine"


@dataclass(frozen=True, slots=True)
class Header:
    """One record as its header describes it; the tuples have one entry per lead, in stored order."""

    name: str
    fs: float
    """Hz."""
    samples: int
    """Samples per lead; 0 if the signal file's size decides."""
    leads: tuple[str, ...]
    """Names as written; '' for a lead without a name."""
    files: tuple[str, ...]
    """Plain file names beside the header."""
    formats: tuple[int, ...]
    gains: tuple[float, ...]
    """ADC units per physical unit."""
    baselines: tuple[int, ...]
    """The ADC values of 0 V."""
    units: tuple[str, ...]
    """mV, V or uV."""
    offsets: tuple[int, ...]
    """Bytes before the signal in its file."""
    checksums: tuple[int | None, ...]
    comments: list[str]
    segments: int = 0
    """How many segments `files` names; 0 for a record of one segment."""
    plain: bool = True
    """Whether `decoding` reads it: no segments, one sample per frame, no skew, known formats; else `wfdb` must."""


def parse_header(data: bytes, name: str) -> Header:
    """Parse a header; RecordError, prefixed with `name`, for anything that cannot be used."""
    try:
        return _parse(_text(data))
    except RecordError as error:
        raise RecordError(f"{name}: {error.problem}", allowed=error.allowed, fix=error.fix or _FIX) from None


def _text(data: bytes) -> str:
    """Return a header as text, without the byte order mark that an editor may have added."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _parse(text: str) -> Header:
    lines, comments = [], []
    for line in LINE_END.split(text):
        line = line.strip()
        if line.startswith("#"):
            comments.append(line.strip(" \t#"))
        elif line:
            lines.append(line)
    if not lines:
        raise RecordError("the header is empty", allowed="a record line, then one line per lead")
    if len(lines) > MAX_LINES or max(map(len, lines)) > MAX_LINE:
        raise RecordError(
            f"the header has {len(lines):,} lines, the longest of {max(map(len, lines)):,} characters",
            allowed=f"at most {MAX_LINES:,} lines of {MAX_LINE:,} characters, comments aside",
        )
    name, segments, signals, fs, samples = _record_line(lines[0])
    if segments:
        return _several_segments(name, segments, fs, samples, lines[1:], comments)
    if len(lines) - 1 != signals or not signals:
        described = len(lines) - 1
        raise RecordError(
            f"the header counts {signals} leads and describes {described}", allowed="one line per lead, one or more"
        )
    files, layout, checksums = signal_lines(lines[1:])
    _check_files(files, layout)
    return Header(
        name, fs, samples, layout.leads, files, layout.formats, layout.gains, layout.baselines, layout.units,
        layout.offsets, checksums, comments, plain=layout.plain,
    )  # fmt: skip


def _record_line(line: str) -> tuple[str, int, int, float, int]:
    """Return name, segments (0 for a record of one segment), number of leads, fs and samples per lead."""
    fields = line.split()
    name, slash, segments = fields[0].partition("/")
    if not PLAIN_NAME.fullmatch(name) or (slash and not (_COUNT.fullmatch(segments) and int(segments))):
        raise RecordError(
            f"record name '{fields[0][:80]}'", allowed="letters, digits, '_', '-'; then nothing or /SEGMENTS"
        )
    if len(fields) < 2 or not _COUNT.fullmatch(fields[1]):
        raise RecordError(f"record line '{line[:80]}' has no count of leads", allowed="NAME LEADS FS SAMPLES")
    rate = _FS.fullmatch(fields[2]) if len(fields) > 2 and len(fields[2]) <= MAX_FIELD else None
    fs = float(rate[1]) if rate else (DEFAULT_FS if len(fields) < 3 else 0.0)
    if not 0 < fs <= MAX_FS:
        raise RecordError(f"sampling rate '{fields[2][:40]}'", allowed=f"above 0 and at most {MAX_FS:,.0f} Hz")
    if len(fields) > 3 and not _COUNT.fullmatch(fields[3]):
        raise RecordError(f"sample count '{fields[3][:40]}'", allowed="a whole number from 0")
    return name, int(segments or 0), int(fields[1]), fs, int(fields[3]) if len(fields) > 3 else 0


def _several_segments(
    name: str, segments: int, fs: float, samples: int, lines: Sequence[str], comments: list[str]
) -> Header:
    names = tuple(line.split()[0] for line in lines)
    if len(names) != segments:
        raise RecordError(
            f"the header counts {segments} segments and names {len(names)}", allowed="one line per segment"
        )
    for segment in names:
        if segment != NO_FILE and not PLAIN_NAME.fullmatch(segment):
            raise _not_a_plain_name("segment", segment)
    none: tuple[int, ...] = ()
    return Header(name, fs, samples, (), names, none, none, none, (), none, none, comments, segments, plain=False)


def _check_files(files: tuple[str, ...], layout: Layout) -> None:
    """Raise RecordError for a file name with a path, or for a file with two formats or offsets."""
    for file in set(files):
        if file != NO_FILE and not PLAIN_NAME.fullmatch(file):
            raise _not_a_plain_name("signal file", file)
    blocks = [block for block, _ in groupby(zip(files, layout.formats, layout.offsets, strict=True))]
    if len(blocks) != len(set(files)):
        raise RecordError(
            "the leads of one signal file are separated, or differ in format or byte offset",
            allowed="the leads of a file on consecutive lines, all in one format",
        )


def _not_a_plain_name(kind: str, name: str) -> RecordError:
    return RecordError(
        f"{kind} '{name[:80]}' is not a plain file name", allowed="a file beside the header, named without a path"
    )
