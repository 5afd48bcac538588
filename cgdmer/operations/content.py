"""The digest of a recording's content: the same for a copy under another name, another one once a byte has changed."""

import hashlib
import os

from cgdmer.archives import Archive
from cgdmer.errors import RecordError
from cgdmer.recordings.array_metadata import sidecar_of
from cgdmer.recordings.discovery import RecordingPath, Rejected, open_root
from cgdmer.waveforms.header import NO_FILE, parse_header
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
        for data in (first, *(self._archive.read(name, SIGNAL_LIMIT) for name in self._companions(member, first))):
            total.update(len(data).to_bytes(8, "big"))
            total.update(data)
        return total.hexdigest()

    def _companions(self, member: str, first: bytes) -> list[str]:
        """Return the signal files that a WFDB header names, or the sidecar of an array."""
        folder, name = os.path.split(member)
        stem, suffix = os.path.splitext(member)
        if suffix.lower() == ".hea":
            files = dict.fromkeys(parse_header(first, name).files)
            return [os.path.join(folder, file) for file in files if file != NO_FILE]
        sidecar = sidecar_of(stem)
        return [sidecar] if sidecar and sidecar in self._archive else []


def _text(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode("utf-8", "surrogateescape")).hexdigest()
