"""Reading a corpus in place: a folder or a zip, every file by its path inside."""

from cgdmer.archives.archive import Archive, open_archive

__all__ = ["Archive", "open_archive"]
