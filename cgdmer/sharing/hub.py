"""Encoders on a Hugging Face hub: `hf:OWNER/NAME`, optionally with `@REVISION`."""

import re
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import (
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)

from cgdmer.encoders.pretrained import Pretrained
from cgdmer.errors import ConfigError, DataError, Unavailable
from cgdmer.sharing import folder

PREFIX = "hf:"
ADDRESS = re.compile(r"hf:(?P<repository>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")


def load_encoder(source: str) -> Pretrained:
    """Download an encoder, or take it from the cache, and open it.

    The hub is that of the variable HF_ENDPOINT; a token is taken from HF_TOKEN. ConfigError for a malformed address,
    DataError if the repository or one of its files is missing or damaged, Unavailable if the hub does not answer.
    """
    address = parsed(source)
    return folder.load(download(address["repository"], address["revision"]), name=address["repository"])


def cached(source: str) -> Path | None:
    """Return the cache folder of an encoder that was downloaded, or None."""
    address = parsed(source)
    try:
        return Path(snapshot_download(address["repository"], revision=address["revision"], local_files_only=True))
    except LocalEntryNotFoundError:
        return None


def parsed(source: str) -> re.Match[str]:
    """Return the match of an address, with `repository` and `revision`; ConfigError for a malformed one."""
    address = ADDRESS.fullmatch(source)
    if not address:
        raise ConfigError(f"'{source}' is no address on the hub", allowed="hf:OWNER/NAME or hf:OWNER/NAME@REVISION",
                          fix="--model hf:OWNER/NAME")  # fmt: skip
    return address


def download(repository: str, revision: str | None) -> Path:
    """Return the folder in the cache that holds the files of a model, all of one revision."""
    try:
        return Path(snapshot_download(repository, revision=revision, allow_patterns=list(folder.FILES)))
    except RepositoryNotFoundError as error:
        fix = "check the name; for a private repository, export HF_TOKEN=..."
        raise DataError(f"the hub has no model {repository}, or it is private", fix=fix) from error
    except LocalEntryNotFoundError as error:
        raise Unavailable(f"the hub does not answer and {repository} is not in the cache", fix="try again") from error
    except OfflineModeIsEnabled as error:
        raise Unavailable(f"HF_HUB_OFFLINE is set and {repository} is not in the cache", fix="unset it") from error
    except HfHubHTTPError as error:
        raise DataError(f"{repository}: {str(error).splitlines()[0]}", fix="check the name and the revision") from error
