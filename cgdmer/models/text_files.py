"""The files of a pretrained report encoder: which are on this machine, and which are missing."""

import logging
from pathlib import Path

from cgdmer.errors import ConfigError

log = logging.getLogger(__name__)

NEEDED = (
    ("config.json",),
    ("model.safetensors", "model.safetensors.index.json"),
    ("tokenizer.json", "vocab.txt", "vocab.json", "spiece.model"),
)
"""One file of each row must exist."""


def require(name: str, revision: str | None) -> None:
    """Check that the files of an encoder are in the folder `name` or in the local Hugging Face cache.

    Raises ConfigError, which lists the missing files. Logs a warning when the encoder is not pinned to a commit.
    """
    missing = [" or ".join(names) for names in NEEDED if not any(_exists(name, revision, file) for file in names)]
    if missing:
        place = f"the folder {name}" if Path(name).is_dir() else "the local Hugging Face cache"
        at = f" at revision {revision}" if revision else ""
        raise ConfigError(
            f"model.text: {place} lacks files of '{name}'{at}: {', '.join(missing)}",
            allowed="null, a folder with config.json, model.safetensors and tokenizer.json, or a model name",
            fix=download_command(name, revision),
        )
    if revision is None and not Path(name).is_dir():
        log.warning("model.text: '%s' is not pinned; set model.text_revision to a commit of its repository", name)


def download_command(name: str, revision: str | None) -> str:
    """Return the command that fetches an encoder into the cache."""
    pinned = f" --revision {revision}" if revision else ""
    return f"hf download {name}{pinned}; weights that exist as .bin only must be converted to safetensors once"


def _exists(name: str, revision: str | None, file: str) -> bool:
    from huggingface_hub import try_to_load_from_cache

    if Path(name).is_dir():
        return (Path(name) / file).is_file()
    try:
        return isinstance(try_to_load_from_cache(name, file, revision=revision), str)
    except ValueError:  # not a valid repository name
        return False
