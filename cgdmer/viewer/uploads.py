"""Files that a page sends: a list of names and sizes, and their content one after another."""

import json
from urllib.parse import unquote

from cgdmer.errors import ConfigError

MOST_FILES = 64
LONGEST = 200
"""Bytes of the longest name."""


def files_of(names: str, content: bytes) -> dict[str, bytes]:
    """Return the content of each file by its name, which is no path.

    `names` is percent-encoded JSON: a list of [name, bytes]. ConfigError if it is not, or does not fit the content.
    """
    listed = _listed(names)
    if sum(size for _, size in listed) != len(content):
        raise ConfigError("the files are not as long as their list says", allowed="the files, one after another")
    files, position = {}, 0
    for name, size in listed:
        files[name] = content[position : position + size]
        position += size
    return files


def _listed(names: str) -> list[tuple[str, int]]:
    try:
        content = json.loads(unquote(names, errors="strict"))
        listed = [(_name(name), _size(size)) for name, size in content]
    except (ValueError, TypeError, RecursionError) as error:
        raise ConfigError("the list of files is damaged", allowed="a list of names and sizes") from error
    if not 0 < len(listed) <= MOST_FILES or len({name for name, _ in listed}) < len(listed):
        raise ConfigError(f"{len(listed)} files, or one twice", allowed=f"1 to {MOST_FILES} files at once, each once")
    return listed


def _name(name: object) -> str:
    """Return the name of a file; ValueError for what could lead elsewhere."""
    if not isinstance(name, str) or name in ("", ".", "..") or {"/", "\\", "\0"} & set(name):
        raise ValueError("no name of a file")
    if len(name.encode()) > LONGEST:
        raise ValueError("too long")
    return name


def _size(size: object) -> int:
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise ValueError("no size")
    return size
