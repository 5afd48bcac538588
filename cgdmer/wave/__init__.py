"""Recordings as files: archives read in place, WFDB headers and signals decoded fast, records written."""

from cgdmer.wave.archive import Archive, open_archive
from cgdmer.wave.header import Header, parse_header
from cgdmer.wave.record import Record, read_record
from cgdmer.wave.write import record_bytes

__all__ = ["Archive", "Header", "Record", "open_archive", "parse_header", "read_record", "record_bytes"]
