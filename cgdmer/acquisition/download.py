"""Owns downloading a corpus: file by file from its checksum list, or as one zip, into `<source>.zip`."""

import hashlib
import logging
import os
import shutil
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from urllib.parse import urlsplit

from cgdmer import paths
from cgdmer.acquisition import listing, manifest, pack, space
from cgdmer.acquisition.connection import Policy, address
from cgdmer.acquisition.fetch import AGAIN, Client
from cgdmer.errors import ConfigError, DataError
from cgdmer.files import atomic, read_json, sha256, write_json
from cgdmer.progress import progress

log = logging.getLogger(__name__)

BATCH = 1024
"""Files handed to the connections at a time."""


def download(source: str, url: str, wanted: str, folder: Path, policy: Policy | None = None) -> None:
    """Bring a corpus into `folder/<source>.zip` with its manifest; what an earlier run completed is not fetched again.

    `url` is a PhysioNet base with SHA256SUMS.txt in it, or ends in `.zip`; `wanted` is a regular expression that
    paths in the list are searched for. Work in progress and the finished archive (one more name of the same file,
    no more space) lie in `.cgdmer/downloads/<source>`, since DVC clears an output before its stage runs.
    Errors: ConfigError for a URL that is not http(s); DataError as in `Client.fetch`, or where the disk is too small.
    """
    check_url(f"corpora.{source}.url", url)
    manifest.begin(folder, manifest.outputs(source))
    scratch = paths.STATE / "downloads" / source
    scratch.mkdir(parents=True, exist_ok=True)
    archive = scratch / f"{source}.zip"
    digest = _finished(archive, url, wanted)
    if digest is None:
        with Client(policy or Policy()) as client:
            obtain = _one_zip if urlsplit(url).path.lower().endswith(".zip") else _file_by_file
            obtain(client, url, wanted, archive)
        digest = sha256(archive)
        write_json(_receipt(archive), {"url": url, "wanted": wanted, "sha256": digest})
    else:
        log.info("%s: complete since an earlier run, nothing is fetched", source)
    for name in ("tree", "parts"):
        shutil.rmtree(scratch / name, ignore_errors=True)
    _link(archive, folder / archive.name)
    manifest.write_archive(folder, source, "download", digest)


def check_url(setting: str, url: str) -> None:
    """Raise ConfigError where a URL is not http(s); warn where nothing vouches for what it serves."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(
            f"{setting}: {url}",
            allowed="an https address, or http where that is meant",
            fix=f"set {setting} in params.yaml to one, or to null for the public address",
        )
    if parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        log.warning("%s is plain http: whoever stands between could replace files and checksums alike", url)


def fetch_all(client: Client, base: str, sums: dict[str, str], folder: Path, parts: Path) -> None:
    """Fetch files below a base URL, several at a time; the first failure stops the others, which stay resumable."""

    def one(path: str) -> None:
        part = parts / f"{hashlib.sha256(path.encode()).hexdigest()[:32]}.part"
        try:
            client.fetch(address(base, path), folder / path, part, sums[path])
        except OSError as error:
            raise DataError(
                f"{folder / path}: {error.strerror}", fix=f"free space or mend the disk, {AGAIN}"
            ) from error

    names = list(sums)
    with ThreadPoolExecutor(client.policy.connections) as pool:
        try:
            for start in range(0, len(names), BATCH):
                for future in as_completed([pool.submit(one, name) for name in names[start : start + BATCH]]):
                    future.result()
        except BaseException:
            client.stop()
            raise


def missing(folder: Path, sums: dict[str, str], connections: int) -> dict[str, str]:
    """Return the part of `sums` that is not in a folder with the right content."""

    def right(path: str) -> bool:
        return sha256(folder / path) == sums[path]

    here = [path for path in sums if (folder / path).is_file()]
    good: set[str] = set()
    with ThreadPoolExecutor(connections) as pool:
        for start in range(0, len(here), BATCH):
            some = here[start : start + BATCH]
            good.update(path for path, kept in zip(some, pool.map(right, some), strict=True) if kept)
    return {path: digest for path, digest in sums.items() if path not in good}


def _file_by_file(client: Client, base: str, wanted: str, archive: Path) -> None:
    """Stage the files of the checksum list in `tree`, then pack them; the list is packed too."""
    tree, parts = archive.parent / "tree", archive.parent / "parts"
    (parts / listing.NAME).unlink(missing_ok=True)
    client.fetch(address(base, listing.NAME), tree / listing.NAME, parts / listing.NAME)
    text = (tree / listing.NAME).read_text(encoding="utf-8", errors="replace")
    sums = listing.parse(text, address(base, listing.NAME), wanted)
    lacking = missing(tree, sums, client.policy.connections)
    size = space.estimate(client, base, lacking)
    staged = _bytes(tree / path for path in sums if path not in lacking)
    space.require(archive.parent, 2 * size + staged, f"{base}: {len(lacking)} of {len(sums)} files and their archive")
    with progress(total=size, unit="byte", unit_scale=True, desc="download") as bar:
        client.progress = bar.update
        fetch_all(client, base, lacking, tree, parts)
    pack.pack(tree, {*sums, listing.NAME}, archive)


def _one_zip(client: Client, url: str, wanted: str, archive: Path) -> None:
    """Fetch a zip and check what it holds; a damaged one is fetched once more."""
    fetched, part = archive.with_suffix(".fetched.zip"), archive.parent / "parts" / "zip.part"
    for last in (False, True):
        if not fetched.is_file():
            size, have = client.size(url) or 0, _bytes([part])
            space.require(archive.parent, max(0, size - have), url)
            with progress(total=size, initial=have, unit="byte", unit_scale=True, desc="download") as bar:
                client.progress = bar.update
                client.fetch(url, fetched, part)
        try:
            pack.verify(fetched, wanted)
            break
        except DataError as error:
            fetched.unlink()
            if last:
                raise DataError(f"{url}: {error.problem}", fix="give another url, or the corpus's base URL") from error
            log.warning("%s: %s; fetched again from the start", url, error.problem)
    os.replace(fetched, archive)


def _finished(archive: Path, url: str, wanted: str) -> str | None:
    """Return the sha256 of an archive that an earlier run completed from the same URL, or None."""
    receipt = _receipt(archive)
    if not (archive.is_file() and receipt.is_file()):
        return None
    content = read_json(receipt)
    if (content["url"], content["wanted"]) != (url, wanted):
        return None
    digest = sha256(archive)
    if digest == content["sha256"]:
        return digest
    log.warning("%s is damaged and is fetched again", archive)
    return None


def _link(archive: Path, target: Path) -> None:
    """Give an archive its second name, or copy it where the disk differs."""
    with atomic(target) as temporary:
        try:
            os.link(archive, temporary)
        except OSError:
            space.require(target.parent, archive.stat().st_size, f"the copy of {archive.name}")
            shutil.copyfile(archive, temporary)


def _bytes(files: Iterable[Path]) -> int:
    return sum(path.stat().st_size for path in files if path.is_file())


def _receipt(archive: Path) -> Path:
    return archive.with_suffix(".json")
