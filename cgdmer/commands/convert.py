"""`cgdmer convert`: make a published checkpoint usable as an encoder, without running its code."""

import logging
from pathlib import Path

from cgdmer.conversion.convert import convert
from cgdmer.encoders.published import WEIGHTS

log = logging.getLogger(__name__)


def describe(file: Path, encoder: str, folder: Path, *, isolate: bool) -> str:
    """Convert a checkpoint and return what was done, with the lines for params.yaml."""
    log.info("%s: reading the checkpoint", file)
    made = convert(file, encoder, folder, isolate=isolate)
    left = f", {made.tensors_left_out} others left out" if made.tensors_left_out else ""
    read = (
        "read in an isolated process, because it holds more than tensors" if made.isolated else "read as tensors only"
    )
    return "\n".join(
        [
            f"{file}: {read}",
            f"{folder / WEIGHTS}: {made.title}, {made.parameters:,} parameters in {made.tensors} tensors{left}",
            f"licence: {made.licence}; cite: {made.citation}",
            f"to use it in params.yaml:  embed: {{outside: {{{encoder}: {{file: {folder}, sha256: {made.sha256}}}}}}}",
        ]
    )
