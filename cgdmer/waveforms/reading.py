"""Read one recording of a corpus into mV: plain WFDB here, other WFDB with `wfdb`, and CPSC2018's original `.mat`."""

from cgdmer.archives import Archive
from cgdmer.errors import RecordError
from cgdmer.waveforms.decoding import decode_record
from cgdmer.waveforms.fallback import read_with_wfdb
from cgdmer.waveforms.header import HEADER_LIMIT, parse_header
from cgdmer.waveforms.matlab import read_struct
from cgdmer.waveforms.record import SIGNAL_LIMIT, Record


def read_record(archive: Archive, member: str, *, verify: bool = False) -> Record:
    """Read `<path>.hea` with its signal files, or an original CPSC2018 `<path>.mat`; suffixes may be upper case.

    With `verify`, also compare the header's checksums. RecordError if the record cannot be used.
    """
    if member.lower().endswith(".mat"):
        return read_struct(archive.read(member, SIGNAL_LIMIT), member)
    if not member.lower().endswith(".hea"):
        raise RecordError(f"{member} is not a record", allowed="a .hea, or a .mat with an ECG struct")
    header = parse_header(archive.read(member, HEADER_LIMIT), member)
    if header.plain:
        return decode_record(archive, member, header, verify)
    return read_with_wfdb(archive, member, header)
