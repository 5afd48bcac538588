"""Recordings below an S3 prefix: those that are new or changed are downloaded, and deleted once they are done."""

import hashlib
import logging
import os
import shutil
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from cgdmer.archives.members import UNSAFE
from cgdmer.errors import ConfigError, DataError, Unavailable
from cgdmer.files import atomic, read_json, write_json
from cgdmer.recordings.discovery import SIGNAL_FILES
from cgdmer.waveforms.record import SIGNAL_LIMIT

log = logging.getLogger(__name__)
SCHEME = "s3://"
THREADS = 8
TRIES = 5
MAX_ZIP = 1 << 40


class Object(NamedTuple):
    """An object of the store."""

    key: str
    """With the prefix."""
    tag: str
    """Entity tag, which changes with the content."""
    size: int
    """In bytes."""


Objects = dict[str, Object]
"""Objects by their name below the prefix."""


def names(address: str, recordings: Iterable[str]) -> set[str]:
    """Return the names below an address that the objects of these recordings, given by their addresses, may have."""
    found: set[str] = set()
    for one in recordings:
        if one.startswith(f"{address}/"):
            steps = one[len(address) + 1 :].split("/")
            found |= {"/".join(steps[:count]) for count in range(1, len(steps) + 1)}  # a zip is above its members
            found.add(os.path.basename(address))  # an address that is that of a zip
    return found


@contextmanager
def downloaded(address: str, folder: Path, again: Collection[str] = ()) -> Iterator[Path]:
    """Yield a folder, or a zip, with all objects that changed since the last block that ended without an error.

    Those named in `again` are downloaded too, although they did not change. Objects whose names differ only in the
    suffix are downloaded together, because a header and its signals belong together. When the block ends, the objects
    count as done, by their names and tags in `objects.json`, and the downloads are deleted; so the block has to include
    whatever is done with them. A block that fails leaves its downloads, and the next one gets the same objects again.
    Both are in a folder per address below `folder`. ConfigError for a malformed address; Unavailable if the store does
    not answer.
    """
    name, _, prefix = address.removeprefix(SCHEME).partition("/")
    if not name:
        raise ConfigError(f"source {address}", allowed="s3://BUCKET/PREFIX", fix="-p source=s3://recordings/2026")
    own = folder / hashlib.sha256(address.encode()).hexdigest()[:12]
    record, local = own / "objects.json", own / "download"
    done: dict[str, str] = read_json(record) if record.exists() else {}
    with _explained(address):
        client = _client()
        objects = _listed(client, name, prefix)
        if not objects:
            raise DataError(f"there is no object below {address}", fix="check bucket and prefix")
        wanted = _changed(objects, {below: tag for below, tag in done.items() if below not in again})
        with ThreadPoolExecutor(THREADS) as pool:
            for _ in pool.map(lambda below: _download(client, name, below, objects[below], local), wanted):
                pass
    local.mkdir(parents=True, exist_ok=True)
    single = len(objects) == 1 and prefix.lower().endswith(".zip")
    yield local / os.path.basename(prefix) if single and wanted else local
    write_json(record, {below: one.tag for below, one in objects.items()})
    shutil.rmtree(local)


def _client() -> Any:
    """Return a client with the address and keys of AWS_* variables; ConfigError if boto3 is not installed."""
    import boto3
    from botocore.config import Config

    retries = Config(
        retries={"max_attempts": TRIES, "mode": "standard"}, connect_timeout=10, max_pool_connections=THREADS
    )
    return boto3.client("s3", config=retries)


@contextmanager
def _explained(address: str) -> Iterator[None]:
    """Turn errors of the store into errors that say what to do; they quote no key."""
    from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError

    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", "error"))
        kind = Unavailable if code in ("SlowDown", "InternalError", "ServiceUnavailable", "503", "500") else DataError
        raise kind(f"{address}: the store answers {code}", fix="check bucket, prefix and AWS_ACCESS_KEY_ID") from error
    except (ConnectionError, HTTPClientError) as error:
        raise Unavailable(f"{address}: the store does not answer", fix="check AWS_ENDPOINT_URL, run again") from error
    except BotoCoreError as error:
        raise ConfigError(f"{address}: {type(error).__name__}", fix="export AWS_ACCESS_KEY_ID and the like") from error


def _listed(client: Any, name: str, prefix: str) -> Objects:
    """Return the objects below a prefix by safe name; a prefix that names one object is that object.

    Of several objects of the same name, such as `a` and `a/a` for the prefix `a`, the first one counts.
    """
    objects: Objects = {}
    left_out = 0
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=name, Prefix=prefix):
        for entry in page.get("Contents", []):
            key = str(entry["Key"])
            below = key.removeprefix(prefix).lstrip("/") if key != prefix else os.path.basename(key)
            beside = key != prefix and prefix and not prefix.endswith("/") and key[len(prefix)] != "/"
            if not below or key.endswith("/") or beside:
                continue
            if UNSAFE.search(below) or below in objects:
                left_out += 1
            else:
                objects[below] = Object(key, str(entry["ETag"]), int(entry["Size"]))
    if left_out:
        log.warning(
            "%d objects are left out: their names lead out of the prefix, suit no file, or are taken",
            left_out,
        )
    return objects


def _changed(objects: Objects, done: dict[str, str]) -> list[str]:
    """Return the names of all groups in which an object is new or has another tag.

    A changed signal file without a header of its name, as that of a segment, brings all objects of its folder: one of
    the headers there names it. So does a header without a signal file of its name. Recordings that did not change are
    known by their content.
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for one in objects:
        groups[os.path.splitext(one)[0]].append(one)
    changed = {stem: names for stem, names in groups.items() if any(done.get(n) != objects[n].tag for n in names)}
    headers = {os.path.dirname(one) for one in objects if one.lower().endswith(".hea")}
    whole = {os.path.dirname(stem) for stem, names in changed.items() if _is_incomplete(names)} & headers
    return [n for stem, names in groups.items() if stem in changed or os.path.dirname(stem) in whole for n in names]


def _is_incomplete(names: list[str]) -> bool:
    """Return True for signal files without a header, and for a header without signal files."""
    suffixes = {os.path.splitext(one)[1].lower() for one in names}
    return suffixes.isdisjoint(SIGNAL_FILES) == (".hea" in suffixes)


def _download(client: Any, bucket: str, below: str, one: Object, local: Path) -> None:
    """Download one object unless an earlier call left it complete; a larger one than any recording is skipped."""
    target = local / below
    stamp = target.with_name(f".{target.name}.etag")
    if one.size > (MAX_ZIP if below.lower().endswith(".zip") else SIGNAL_LIMIT):
        log.warning("an object of %d bytes is larger than any recording and is left out", one.size)
        return
    if target.exists() and stamp.exists() and stamp.read_text() == one.tag:
        return
    with atomic(target) as temporary:
        client.download_file(bucket, one.key, str(temporary))
    stamp.write_text(one.tag)
