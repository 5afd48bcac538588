"""Rules for the files of a corpus: safe names, files of the operating system, the largest size, and the errors."""

import os
import re

from cgdmer.errors import RecordError

MEMBER_LIMIT = 1 << 30
"""Bytes of the largest file that is read at once; PhysioNet's largest tables have a fifth of it."""

UNSAFE = re.compile(r"^[A-Za-z]:|\\|(?:^|/)\.{0,2}(?:/|$)|[\x00-\x1f\x7f\ud800-\udfff]")
"""Drive letters, backslashes, absolute paths, `.`, `..` and empty parts, control and undecodable characters."""

_SYSTEM = re.compile(r"(?:^|/)(?:\._|(?:__MACOSX|lost\+found|System Volume Information|\$RECYCLE\.BIN)(?:/|$))")


def check_name(name: str) -> None:
    """Raise RecordError if a name could lead out of the corpus."""
    if not is_safe(name):
        raise outside(name)


def is_safe(name: str) -> bool:
    """Return True if a name cannot lead out of the corpus."""
    return not UNSAFE.search(name)


def is_system(name: str) -> bool:
    """Return True for a file or folder that an operating system adds to a disk or zip.

    macOS writes `._A0001.hea` beside `A0001.hea` on disks of other systems, and a folder `__MACOSX` of such files into
    zips; `lost+found` is at the top of a Linux disk and cannot be listed.
    """
    return bool(_SYSTEM.search(name))


def state_of(status: os.stat_result) -> str:
    """Return what changes when a file is written, replaced or made readable: its size and times."""
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"


def outside(name: str) -> RecordError:
    return RecordError(
        f"'{name}' leads out of the corpus and is refused",
        allowed="relative paths below the corpus's own top folder, and links that stay inside it",
        fix="replace the link by the file itself, or leave its record out",
    )


def missing(name: str) -> RecordError:
    return RecordError(f"{name} is missing", fix="complete the copy of the corpus, or leave the record out")


def too_large(name: str, size: int, limit: int) -> RecordError:
    return RecordError(
        f"{name} holds {size:,} bytes, more than the limit for one file",
        allowed=f"at most {limit:,} bytes",
        fix="check that it is the right file",
    )


def damaged_member(name: str, why: str) -> RecordError:
    return RecordError(f"{name} is damaged: {why}", fix="get the archive again, or leave the record out")
