"""Owns recordings of one's own: files, folders, zips and lists, read into mV and brought into canonical form."""

from cgdmer.recordings.places import Place, find
from cgdmer.recordings.reading import Recording, read, read_file
from cgdmer.recordings.stated import Stated

__all__ = ["Place", "Recording", "Stated", "find", "read", "read_file"]
