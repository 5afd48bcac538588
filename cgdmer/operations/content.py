"""The digest of a recording's content: the same for a copy under another name, another one once a byte has changed."""

import hashlib
import itertools
import os
from collections.abc import Iterable, Iterator

from cgdmer.archives import Archive
from cgdmer.errors import RecordError
from cgdmer.recordings.array_metadata import sidecar_of
from cgdmer.recordings.discovery import RecordingPath, Rejected
from cgdmer.recordings.roots import open_root
from cgdmer.waveforms.header import HEADER_LIMIT, NO_FILE, Header, parse_header
from cgdmer.waveforms.record import SIGNAL_LIMIT


class Digests:
    """Computes digests, with the last folder or zip kept open."""

    def __init__(self) -> None:
        self._root, self._archive = "", Archive.__new__(Archive)

    def of(self, path: RecordingPath | Rejected) -> str:
        """Return the hex sha256 of all files of a recording.

        What cannot be read has the digest of its name and the reason, so that it is read again once the reason is gone.
        """
        if isinstance(path, Rejected):
            return _text(path.id, path.reason)
        if path.root != self._root:
            self._root, self._archive = path.root, open_root(path.root)
        try:
            return self._content(path.member)
        except (RecordError, OSError) as error:
            return _text(path.id, str(error))

    def _content(self, member: str) -> str:
        """Return the sha256 of the file and of the files that are read with it, each with its length."""
        first = self._archive.read(member, SIGNAL_LIMIT)
        total = hashlib.sha256()
        for data in itertools.chain([first], self._companions(member, first)):
            total.update(len(data).to_bytes(8, "big"))
            total.update(data)
        return total.hexdigest()

    def _companions(self, member: str, first: bytes) -> Iterator[bytes]:
        """Yield the files that a WFDB header names, or the sidecar of an array."""
        folder, name = os.path.split(member)
        stem, suffix = os.path.splitext(member)
        if suffix.lower() == ".hea":
            header = parse_header(first, name)
            if header.segments:
                yield from self._segments(folder, _named(header))
            else:
                yield from (self._archive.read(os.path.join(folder, file), SIGNAL_LIMIT) for file in _named(header))
        elif (sidecar := sidecar_of(stem)) and sidecar in self._archive:
            yield self._archive.read(sidecar, SIGNAL_LIMIT)

    def _segments(self, folder: str, names: Iterable[str]) -> Iterator[bytes]:
        """Yield the headers of segments, then the signal files that these name, within the limits of the reader.

        As the reader does, it leaves out the segments of a segment.
        """
        files: dict[str, None] = {}
        for name in names:
            data = self._archive.read(os.path.join(folder, f"{name}.hea"), HEADER_LIMIT)
            yield data
            header = parse_header(data, f"{name}.hea")
            files |= {} if header.segments else _named(header)
        left = SIGNAL_LIMIT
        for file in files:
            data = self._archive.read(os.path.join(folder, file), left)
            yield data
            left -= len(data)


def _named(header: Header) -> dict[str, None]:
    """Return the files or segments that a header names, each once."""
    return dict.fromkeys(name for name in header.files if name != NO_FILE)


def _text(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode("utf-8", "surrogateescape")).hexdigest()
