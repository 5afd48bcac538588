"""Owns reading with `wfdb`, inside fixed bounds, what is not plain: other formats, frames, skew, segments."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from cgdmer.archives.archive import Archive
from cgdmer.errors import RecordError
from cgdmer.waveforms.formats import FACTORS
from cgdmer.waveforms.header import HEADER_LIMIT, NO_FILE, Header, parse_header
from cgdmer.waveforms.record import SIGNAL_LIMIT, Record

SAMPLES_FROM, SAMPLES_A_BYTE = 1 << 20, 64
"""A header may claim a million samples, or 64 a byte of its signal files: compressed formats need no more."""


def read_with_wfdb(archive: Archive, member: str, header: Header) -> Record:
    """Copy a record's files out, because `wfdb` reads folders only, and let it decode them."""
    with TemporaryDirectory(prefix="cgdmer-") as folder:
        described, stored = _copy(archive, member, header, Path(folder))
        try:
            return _read(Path(folder) / _stem(member), header, described, stored)
        except RecordError as error:
            raise RecordError(f"{member}: {error.problem}", allowed=error.allowed, fix=error.fix) from None
        except Exception as error:  # wfdb raises whatever its parts raise
            raise RecordError(
                f"{member}: wfdb cannot read it: {type(error).__name__}: {error}",
                allowed="a record of the WFDB formats",
                fix="get the record again, or leave it in quarantine",
            ) from error


def _copy(archive: Archive, member: str, header: Header, folder: Path) -> tuple[list[Header], int]:
    """Write the header, its segments' headers and all signal files; return the headers with leads, and signal bytes."""
    base, described, stored = member[: member.rfind("/") + 1], [], 0
    pending = [(_stem(member), header)]
    if header.segments:
        names = [name for name in dict.fromkeys(header.files) if name != NO_FILE]
        pending += [(n, parse_header(archive.read(f"{base}{n}.hea", HEADER_LIMIT), f"{base}{n}.hea")) for n in names]
    for name, part in pending:
        (folder / f"{name}.hea").write_bytes(archive.read(f"{base}{name}.hea", HEADER_LIMIT))
        if part.segments:
            continue
        described.append(part)
        for file in set(part.files) - {NO_FILE}:
            data = archive.read(base + file, SIGNAL_LIMIT)
            stored += len(data)
            (folder / file).write_bytes(data)
    return described, stored


def _read(path: Path, header: Header, described: list[Header], stored: int) -> Record:
    import wfdb

    head = wfdb.rdheader(str(path))
    _check_claims(head, stored)
    record = wfdb.rdrecord(str(path))
    units = {lead: unit for part in described for lead, unit in zip(part.leads, part.units, strict=True)}
    leads = tuple(record.sig_name) if header.segments else header.leads
    factors = np.array([FACTORS[units[lead]] for lead in leads])
    if record.p_signal is None or not record.p_signal.size:
        raise RecordError("it holds no sample", allowed="at least one sample a lead")
    signal = np.ascontiguousarray((record.p_signal * factors).T, np.float32)
    return Record(signal, header.fs, leads, header.comments)


def _check_claims(head: Any, stored: int) -> None:
    """Raise RecordError where a header claims more than its files can hold, before `wfdb` allocates it."""
    leads = sum(head.samps_per_frame) if hasattr(head, "samps_per_frame") else head.n_sig
    lengths = sum(getattr(head, "seg_len", [])) or head.sig_len or 0
    skew = max((skew or 0 for skew in getattr(head, "skew", [])), default=0)
    claimed = (max(lengths, head.sig_len or 0) + skew) * leads
    if claimed > max(SAMPLES_FROM, SAMPLES_A_BYTE * stored):
        raise RecordError(
            f"it claims {claimed:,} samples and its files hold {stored:,} bytes",
            allowed=f"{SAMPLES_A_BYTE} samples a byte",
            fix="get the record again, or leave it in quarantine",
        )


def _stem(member: str) -> str:
    return member[member.rfind("/") + 1 :].removesuffix(".hea")
