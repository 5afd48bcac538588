"""The user's own recordings: find them in folders, zips and lists, read them into mV, make them canonical."""

from cgdmer.recordings.array_metadata import ArrayMetadata
from cgdmer.recordings.discovery import RecordingPath, find_recordings
from cgdmer.recordings.reading import read
from cgdmer.recordings.single import Recording, read_file

__all__ = ["ArrayMetadata", "Recording", "RecordingPath", "find_recordings", "read", "read_file"]
