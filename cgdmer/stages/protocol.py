"""Owns the stage `protocol`: the published split tables and prompts, unmodified and checked, or that there are none."""

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
    """Fill `data/raw/protocol` by `protocol.way`; `manifest.json`, written last, says which.

    Errors: ConfigError where `local` is asked for and CGDMER_PROTOCOL_ROOT is not set; DataError where a file is
    missing or its sha256 is not the published one.
    """
    found: dict[str, Path] = {}
    if protocol.way == "none":
        log.warning("protocol.way is none: splits are hashes of the patient, not comparable with published numbers")
    else:
        found = _local() if protocol.way == "local" else _download(protocol.url or published.URL)
    manifest.begin(paths.PROTOCOL, sorted({path.split("/")[0] for path in published.PUBLISHED}))
    for path, file in found.items():
        with atomic(paths.PROTOCOL / path) as temporary:
            shutil.copyfile(file, temporary)
    if found:
        published.verify(paths.PROTOCOL)
    write_json(paths.PROTOCOL / manifest.NAME, {"way": protocol.way})


def _local() -> dict[str, Path]:
    """Return where each published file lies under CGDMER_PROTOCOL_ROOT, checked."""
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
    """Fetch the published files into scratch, checked; what is there already is not fetched again."""
    download.check_url("protocol.url", url)
    scratch = paths.STATE / "downloads" / "protocol"
    sums = {published.upstream(path): digest for path, digest in published.PUBLISHED.items()}
    policy = Policy()
    lacking = download.missing(scratch / "tree", sums, policy.connections)
    with Client(policy) as client:
        download.fetch_all(client, url, lacking, scratch / "tree", scratch / "parts")
    log.info("protocol: %d files fetched, %d were here", len(lacking), len(sums) - len(lacking))
    return {path: scratch / "tree" / published.upstream(path) for path in published.PUBLISHED}
