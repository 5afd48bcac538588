"""Read records that are not plain with `wfdb`, inside fixed bounds: other formats, frames, skew, segments."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from cgdmer.archives.archive import Archive
from cgdmer.errors import RecordError
from cgdmer.waveforms.formats import FACTORS
from cgdmer.waveforms.header import HEADER_LIMIT, NO_FILE, Header, parse_header
from cgdmer.waveforms.record import SIGNAL_LIMIT, Record

MAX_SAMPLES, SAMPLES_PER_BYTE = 1 << 20, 64
"""A header may claim a million samples, or 64 per byte of its signal files: compressed formats need no more."""


def read_with_wfdb(archive: Archive, member: str, header: Header) -> Record:
    """Copy a record's files into a temporary folder, because `wfdb` reads only folders, and let `wfdb` decode them."""
    with TemporaryDirectory(prefix="cgdmer-") as folder:
        headers, size = _copy(archive, member, header, Path(folder))
        try:
            return _read(Path(folder) / _stem(member), header, headers, size)
        except RecordError as error:
            raise RecordError(f"{member}: {error.problem}", allowed=error.allowed, fix=error.fix) from None
        except Exception as error:  # wfdb passes on whatever its parsers raise
            raise RecordError(
                f"{member}: wfdb cannot read it: {type(error).__name__}: {error}",
                allowed="a record of the WFDB formats",
                fix="get the record again, or leave it in quarantine",
            ) from error


def _copy(archive: Archive, member: str, header: Header, folder: Path) -> tuple[list[Header], int]:
    """Write all headers and signal files; return the headers that have leads, and the bytes of the signal files."""
    base, headers, size = member[: member.rfind("/") + 1], [], 0
    pending = [(member, header)]
    if header.segments:
        names = [name for name in dict.fromkeys(header.files) if name != NO_FILE]
        segments = [f"{base}{name}.hea" for name in names]
        pending += [(one, parse_header(archive.read(one, HEADER_LIMIT), one)) for one in segments]
    for path, pending_header in pending:
        (folder / f"{_stem(path)}.hea").write_bytes(archive.read(path, HEADER_LIMIT))
        if pending_header.segments:
            continue
        headers.append(pending_header)
        for file in set(pending_header.files) - {NO_FILE}:
            data = archive.read(base + file, SIGNAL_LIMIT - size)
            size += len(data)
            (folder / file).write_bytes(data)
    return headers, size


def _read(path: Path, header: Header, headers: list[Header], size: int) -> Record:
    try:
        import wfdb
    except ImportError as error:
        raise RecordError("this WFDB format needs wfdb: pip install 'cgdmer[formats]'") from error
    head = wfdb.rdheader(str(path))
    _check_claims(head, size)
    record = wfdb.rdrecord(str(path))
    units = {lead: unit for each in headers for lead, unit in zip(each.leads, each.units, strict=True)}
    leads = tuple(record.sig_name) if header.segments else header.leads
    factors = np.array([FACTORS[units[lead]] for lead in leads])
    if record.p_signal is None or not record.p_signal.size:
        raise RecordError("it holds no sample", allowed="at least one sample per lead")
    signal = np.ascontiguousarray((record.p_signal * factors).T, np.float32)
    return Record(signal, header.fs, leads, header.comments)


def _check_claims(head: Any, size: int) -> None:
    """Raise RecordError if a header claims more samples than its files can hold, before `wfdb` allocates them."""
    leads = sum(head.samps_per_frame) if hasattr(head, "samps_per_frame") else head.n_sig
    lengths = sum(getattr(head, "seg_len", [])) or head.sig_len or 0
    skew = max((skew or 0 for skew in getattr(head, "skew", [])), default=0)
    claimed = (max(lengths, head.sig_len or 0) + skew) * leads
    if claimed > max(MAX_SAMPLES, SAMPLES_PER_BYTE * size):
        raise RecordError(
            f"it claims {claimed:,} samples and its files hold {size:,} bytes",
            allowed=f"{SAMPLES_PER_BYTE} samples per byte",
            fix="get the record again, or leave it in quarantine",
        )


def _stem(member: str) -> str:
    return member[member.rfind("/") + 1 : -len(".hea")]
