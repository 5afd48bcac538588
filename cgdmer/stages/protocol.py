"""Stage protocol: the published split tables and prompts, unmodified and checked, or a manifest that says `none`."""

import logging
import shutil
from pathlib import Path

from cgdmer import environment, paths
from cgdmer import protocol as published
from cgdmer.acquisition import download, manifest
from cgdmer.acquisition.connection import Policy
from cgdmer.acquisition.fetch import Client
from cgdmer.errors import ConfigError
from cgdmer.files import atomic, write_json
from cgdmer.settings import Protocol

log = logging.getLogger(__name__)


def protocol(*, protocol: Protocol) -> None:
    """Fill `data/raw/protocol` as `protocol.way` says; `manifest.json` is written last and records the way.

    ConfigError if `protocol.way` is local and CGDMER_PROTOCOL_ROOT is not set; DataError if a file is missing or its
    sha256 is not the published one.
    """
    files: dict[str, Path] = {}
    if protocol.way == "none":
        log.warning(
            "protocol.way is none: a hash of the patient draws the splits, so results are not comparable with "
            "published numbers"
        )
    else:
        files = _local() if protocol.way == "local" else _download(protocol.url or published.URL)
    manifest.prepare_folder(paths.PROTOCOL, sorted({path.split("/")[0] for path in published.PUBLISHED}))
    for path, file in files.items():
        with atomic(paths.PROTOCOL / path) as temporary:
            shutil.copyfile(file, temporary)
    if files:
        published.verify(paths.PROTOCOL)
    write_json(paths.PROTOCOL / manifest.NAME, {"way": protocol.way})


def _local() -> dict[str, Path]:
    """Return the path of each published file below CGDMER_PROTOCOL_ROOT, after checking all of them."""
    root = environment.read().protocol_root
    if root is None:
        raise ConfigError(
            "protocol.way is local and CGDMER_PROTOCOL_ROOT is not set",
            allowed=f"a folder with merl_splits/ and {published.PROMPTS}",
            fix="export CGDMER_PROTOCOL_ROOT=/that/folder, or set protocol.way to download in params.yaml",
        )
    published.verify(root)
    return {path: root / path for path in published.PUBLISHED}


def _download(url: str) -> dict[str, Path]:
    """Download the published files that scratch lacks, check them, and return the path of each."""
    download.check_url("protocol.url", url)
    scratch = paths.STATE / "downloads" / "protocol"
    sums = {published.upstream(path): digest for path, digest in published.PUBLISHED.items()}
    policy = Policy()
    missing = download.missing(scratch / "tree", sums, policy.connections)
    with Client(policy) as client:
        download.fetch_all(client, url, missing, scratch / "tree", scratch / "parts")
    log.info("protocol: %d files downloaded, %d were there already", len(missing), len(sums) - len(missing))
    return {path: scratch / "tree" / published.upstream(path) for path in published.PUBLISHED}
