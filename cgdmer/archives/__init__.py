"""Read a corpus in place, from a folder or a zip: each file by its path inside."""

from cgdmer.archives.archive import Archive, open_archive

__all__ = ["Archive", "open_archive"]
