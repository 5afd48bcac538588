"""Download a corpus into `<source>.zip`: file by file from its checksum list, or as one zip."""

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
from cgdmer.acquisition.connection import Policy, file_url
from cgdmer.acquisition.fetch import RERUN, Client
from cgdmer.errors import ConfigError, DataError
from cgdmer.files import atomic, read_json, sha256, write_json
from cgdmer.progress import progress

log = logging.getLogger(__name__)

BATCH = 1024
"""Files queued for the connections at a time."""


def download(source: str, url: str, wanted: str, folder: Path, policy: Policy | None = None) -> None:
    """Download a corpus into `folder/<source>.zip` and write its manifest; skip what an earlier run completed.

    `url` is a PhysioNet base URL that contains SHA256SUMS.txt, or ends in `.zip`; `wanted` is a regular expression that
    selects paths of that list. Work in progress and the finished archive (a hard link, which takes no extra space) are
    in `.cgdmer/downloads/<source>`, because DVC clears an output before its stage runs.
    Raises ConfigError for a URL that is not http(s); DataError as `Client.fetch` does, or if the disk is too small.
    """
    check_url(f"corpora.{source}.url", url)
    manifest.prepare_folder(folder, manifest.output_names(source))
    scratch = paths.STATE / "downloads" / source
    scratch.mkdir(parents=True, exist_ok=True)
    archive = scratch / f"{source}.zip"
    digest = _finished(archive, url, wanted)
    if digest is None:
        with Client(policy or Policy()) as client:
            fetch = _one_zip if urlsplit(url).path.lower().endswith(".zip") else _file_by_file
            fetch(client, url, wanted, archive)
        digest = sha256(archive)
        write_json(_receipt(archive), {"url": url, "wanted": wanted, "sha256": digest})
    else:
        log.info("%s: an earlier run downloaded it completely; nothing to fetch", source)
    for name in ("tree", "parts"):
        shutil.rmtree(scratch / name, ignore_errors=True)
    _link(archive, folder / archive.name)
    manifest.write_archive(folder, source, "download", digest)


def check_url(setting: str, url: str) -> None:
    """Raise ConfigError if a URL is not http(s); warn if it is plain http, which does not authenticate the server."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(
            f"{setting}: {url}",
            allowed="an https URL, or an http URL for a server you trust",
            fix=f"set {setting} in params.yaml to such a URL, or to null for the public one",
        )
    if parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        log.warning("%s is plain http: anyone on the network path can replace both files and checksums", url)


def fetch_all(client: Client, base: str, sums: dict[str, str], folder: Path, parts: Path) -> None:
    """Fetch files below a base URL in parallel; the first failure stops the others, which stay resumable."""

    def fetch_one(path: str) -> None:
        part = parts / f"{hashlib.sha256(path.encode()).hexdigest()[:32]}.part"
        try:
            client.fetch(file_url(base, path), folder / path, part, sums[path])
        except OSError as error:
            raise DataError(
                f"{folder / path}: {error.strerror}", fix=f"free space or repair the disk, {RERUN}"
            ) from error

    names = list(sums)
    with ThreadPoolExecutor(client.policy.connections) as pool:
        try:
            for start in range(0, len(names), BATCH):
                for future in as_completed([pool.submit(fetch_one, name) for name in names[start : start + BATCH]]):
                    future.result()
        except BaseException:
            client.stop()
            raise


def missing(folder: Path, sums: dict[str, str], connections: int) -> dict[str, str]:
    """Return the entries of `sums` whose files are absent from a folder or have another checksum."""

    def is_intact(path: str) -> bool:
        return sha256(folder / path) == sums[path]

    present = [path for path in sums if (folder / path).is_file()]
    complete: set[str] = set()
    with ThreadPoolExecutor(connections) as pool:
        for start in range(0, len(present), BATCH):
            batch = present[start : start + BATCH]
            complete.update(path for path, intact in zip(batch, pool.map(is_intact, batch), strict=True) if intact)
    return {path: digest for path, digest in sums.items() if path not in complete}


def _file_by_file(client: Client, base: str, wanted: str, archive: Path) -> None:
    """Stage the listed files in `tree`, then pack them together with the list."""
    tree, parts = archive.parent / "tree", archive.parent / "parts"
    (parts / listing.NAME).unlink(missing_ok=True)
    client.fetch(file_url(base, listing.NAME), tree / listing.NAME, parts / listing.NAME)
    text = (tree / listing.NAME).read_text(encoding="utf-8", errors="replace")
    sums = listing.parse(text, file_url(base, listing.NAME), wanted)
    absent = missing(tree, sums, client.policy.connections)
    size = space.estimate(client, base, absent)
    staged = _bytes(tree / path for path in sums if path not in absent)
    space.require(archive.parent, 2 * size + staged, f"{base}: {len(absent)} of {len(sums)} files and their archive")
    with progress(total=size, unit="byte", unit_scale=True, desc="download") as bar:
        client.progress = bar.update
        fetch_all(client, base, absent, tree, parts)
    pack.pack(tree, {*sums, listing.NAME}, archive)


def _one_zip(client: Client, url: str, wanted: str, archive: Path) -> None:
    """Fetch a zip and check its contents; fetch a damaged one once more."""
    fetched, part = archive.with_suffix(".fetched.zip"), archive.parent / "parts" / "zip.part"
    for is_last in (False, True):
        if not fetched.is_file():
            size, received = client.size(url) or 0, _bytes([part])
            space.require(archive.parent, max(0, size - received), url)
            with progress(total=size, initial=received, unit="byte", unit_scale=True, desc="download") as bar:
                client.progress = bar.update
                client.fetch(url, fetched, part)
        try:
            pack.verify(fetched, wanted)
            break
        except DataError as error:
            fetched.unlink()
            if is_last:
                raise DataError(
                    f"{url}: {error.problem}", fix="set another url, or the base URL of the corpus"
                ) from error
            log.warning("%s: %s; fetching it again from the start", url, error.problem)
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
    log.warning("%s is damaged; fetching it again", archive)
    return None


def _link(archive: Path, target: Path) -> None:
    """Hard-link an archive to `target`, or copy it if `target` is on another disk."""
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
