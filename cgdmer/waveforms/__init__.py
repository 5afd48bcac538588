"""Decoding recordings: WFDB headers and signals, and the `.mat` structs of CPSC2018; writing WFDB."""

from cgdmer.waveforms.header import Header, parse_header
from cgdmer.waveforms.reading import read_record
from cgdmer.waveforms.record import Record
from cgdmer.waveforms.write import record_bytes

__all__ = ["Header", "Record", "parse_header", "read_record", "record_bytes"]
