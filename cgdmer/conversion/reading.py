"""Read a checkpoint into a tree of tensors without running its code; refuse what is no checkpoint."""

import logging
import pickle
import re
import stat
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import torch
from safetensors.torch import load_file

from cgdmer.conversion import isolated
from cgdmer.conversion.tree import TooLarge, Tree, tensors_of
from cgdmer.errors import ConfigError, DataError

log = logging.getLogger(__name__)

Kind = Literal["safetensors", "zip", "pickle"]
MAGIC: dict[bytes, Kind] = {b"PK\x03\x04": "zip", b"\x80": "pickle"}
FORMATS = "a file that torch.save or safetensors wrote (.safetensors, .pt, .pth, .bin, .ckpt)"
DOWNLOAD = "download it again and compare its size and checksum with what its page states"
ZIP_OVERHEAD = 1 << 20
"""Bytes by which the members of a zip may exceed the file: torch.save does not compress, so they never do."""
ALLOW = "--allow-pickle"
REFUSALS = "Unsupported|Trying to|Can only"
"""How torch begins the refusal of an object, in contrast to damage, as a regular expression."""


@dataclass(frozen=True)
class Content:
    """The tensors of a checkpoint."""

    tree: Tree
    isolated: bool
    """Whether the file held more than tensors and was read in an isolated process."""


def read(path: Path, folder: Path, *, isolate: bool) -> Content:
    """Return the tensors of a checkpoint by name.

    A pickle is read with `weights_only`, which builds tensors and plain containers alone. If it holds other objects,
    such as the settings of a training framework, it is read in an isolated process that may write to `folder` only, and
    only if `isolate` is true. DataError for anything that is no whole checkpoint.
    """
    kind = kind_of(path)
    if kind == "zip":
        check_zip(path)
    try:
        loaded = load_file(path) if kind == "safetensors" else torch.load(path, map_location="cpu", weights_only=True)
        return Content(_tensors(path, loaded), isolated=False)
    except DataError:
        raise
    except Exception as error:  # a damaged or hostile file makes torch raise anything
        if not (more := holds_more(error)):
            raise DataError(f"{path} is no whole checkpoint: {first_line(error)}", fix=DOWNLOAD) from error
        if not isolate:
            raise ConfigError(
                f"{path} holds more than tensors, {more}, and reading such a pickle can run any code",
                allowed="tensors, numbers, texts and containers; other objects only in an isolated process",
                fix=f"add {ALLOW}: no class of the file is loaded; the process has no network and writes to one folder",
            ) from error
    log.warning("%s holds more than tensors, %s; it is read in an isolated process, without its classes", path, more)
    with TemporaryDirectory(dir=folder) as private:  # what the process leaves there never reaches the result
        return Content(read_plain(isolated.extract(path, Path(private)), path), isolated=True)


def holds_more(error: Exception) -> str:
    """Return what a pickle needs beyond tensors and containers, from torch's error; '' if it is damaged instead."""
    if not isinstance(error, pickle.UnpicklingError):
        return ""
    reason = re.search(rf"^\s*(?:WeightsUnpickler error: )?((?:{REFUSALS}).*)", str(error), re.M)
    named = re.search(r"GLOBAL ([\w.]+)", reason[1]) if reason else None
    return named[1] if named else isolated.printable(reason[1]) if reason else ""


def kind_of(path: Path) -> Kind:
    """Return the format by the first bytes; DataError for a folder, a pipe, an empty file or another format."""
    try:
        status = path.stat()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", allowed=FORMATS) from error
    if not stat.S_ISREG(status.st_mode):
        what = "a folder" if stat.S_ISDIR(status.st_mode) else "no regular file"
        raise DataError(f"{path} is {what}", allowed=FORMATS, fix="name the checkpoint file itself")
    if not status.st_size:
        raise DataError(f"{path} is empty", fix=DOWNLOAD)
    with path.open("rb") as stream:
        start = stream.read(9)
    for magic, kind in MAGIC.items():
        if start.startswith(magic):
            return kind
    if len(start) == 9 and start[8:] == b"{" and struct.unpack("<Q", start[:8])[0] < status.st_size:
        return "safetensors"
    raise DataError(f"{path} is no checkpoint: it begins with {start[:8]!r}", allowed=FORMATS, fix=DOWNLOAD)


def check_zip(path: Path) -> None:
    """Raise DataError for a cut zip, and for members that unpack to more than the file holds."""
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError, struct.error) as error:
        raise DataError(f"{path} is no whole zip: {first_line(error)}", fix=DOWNLOAD) from error
    size = path.stat().st_size
    if unpacked > size + ZIP_OVERHEAD:
        raise DataError(
            f"{path} unpacks to {unpacked:,} bytes from {size:,}",
            allowed="a checkpoint as torch.save writes it, without compression",
            fix="do not use this file: it may be made to fill the memory",
        )


def read_plain(result: Path, path: Path) -> Tree:
    """Read what the isolated process wrote; it is trusted no more than the file itself."""
    try:
        check_zip(result)
        return _tensors(path, torch.load(result, map_location="cpu", weights_only=True))
    except Exception as error:
        raise DataError(f"{path}: the isolated process returned no tensors: {first_line(error)}") from error


def _tensors(path: Path, loaded: Any) -> Tree:
    try:
        tree = tensors_of(loaded)
    except TooLarge as error:
        raise DataError(f"{path} holds {error}", fix="do not use this file") from error
    if not tree:
        raise DataError(f"{path} holds no tensor by name", allowed="a state dict, or a dict that contains one")
    return tree


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its type if it has none."""
    return isolated.printable(str(error)) or type(error).__name__
