"""Pack a corpus into one zip with the same bytes on every machine; check a zip against the list inside it."""

import hashlib
import logging
import os
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

from cgdmer.acquisition import listing
from cgdmer.errors import DataError
from cgdmer.files import sync
from cgdmer.progress import progress

log = logging.getLogger(__name__)

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can store."""


def pack(folder: Path, names: Iterable[str], archive: Path) -> None:
    """Write files of a folder into an uncompressed zip, sorted; the zip gets its final name only once it is on disk."""
    part = archive.with_name(archive.name + ".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as target:
        for name in progress(sorted(names), unit="file", desc="packing"):
            member = zipfile.ZipInfo(name, EPOCH)
            member.create_system, member.external_attr = 3, (stat.S_IFREG | 0o644) << 16
            member.file_size = (folder / name).stat().st_size
            with (folder / name).open("rb") as source, target.open(member, "w") as sink:
                shutil.copyfileobj(source, sink, 1 << 20)
    sync(part)
    os.replace(part, archive)
    sync(archive.parent)


def verify(archive: Path, wanted: str) -> None:
    """Raise DataError if a zip is damaged, or a wanted member is absent or differs from SHA256SUMS.txt inside the zip.

    Reading a member also checks its CRC; a zip without the list is checked by CRC only, with a warning.
    """
    try:
        with zipfile.ZipFile(archive) as source:
            tops = sorted((name for name in source.namelist() if name.split("/")[-1] == listing.NAME), key=len)
            if tops:
                _compare(source, tops[0], wanted)
            elif damaged := source.testzip():
                raise DataError(f"{archive.name}: {damaged} is damaged")
            else:
                log.warning("%s contains no %s: checked by CRC only", archive.name, listing.NAME)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise DataError(f"{archive.name} is damaged: {error}") from error


def _compare(source: zipfile.ZipFile, name: str, wanted: str) -> None:
    prefix, members = name.removesuffix(listing.NAME), set(source.namelist())
    sums = listing.parse(source.read(name).decode("utf-8", "replace"), name, wanted)
    for path, expected in progress(sums.items(), unit="file", desc="checking"):
        if prefix + path not in members:
            raise DataError(f"the zip lacks {prefix + path}, which its {listing.NAME} lists")
        with source.open(prefix + path) as stream:
            actual = hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]
        if actual != expected:
            raise DataError(f"{prefix + path} in the zip: sha256 is {actual} and should be {expected}")
