"""Fetch one file over HTTP: resume where it stopped, retry transient failures, check the sha256, then name the file."""

import logging
import random
import threading
from collections.abc import Callable
from contextlib import closing
from http import HTTPStatus
from pathlib import Path
from typing import TypeVar

import requests
import urllib3

from cgdmer.acquisition.connection import Connections, Policy, TransientError
from cgdmer.acquisition.partial import Partial
from cgdmer.errors import DataError, Unavailable
from cgdmer.files import sha256

log = logging.getLogger(__name__)

Result = TypeVar("Result")

RERUN = "run the same command again: complete files are kept, and a partial file resumes where it stopped"
BLOCK = 1 << 16


class Stopped(Exception):
    """The download was cancelled because another file failed; this file is not at fault."""


class Client:
    """One download over several threads, as a context manager; `progress` receives the size of each block in bytes."""

    def __init__(self, policy: Policy, progress: Callable[[int], object] = lambda size: None) -> None:
        self.policy, self.progress = policy, progress
        self._connections, self._stop = Connections(policy), threading.Event()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._connections.close()

    def stop(self) -> None:
        """End all pauses, and end all transfers at their next block with Stopped."""
        self._stop.set()

    def fetch(self, url: str, target: Path, part: Path, digest: str | None = None) -> None:
        """Download to `part`, check, fsync and rename to `target`; after a wrong sha256, try once more from zero.

        Raises DataError if all attempts fail, the server refuses, or the sha256 stays wrong. `part` survives every
        other failure, and the next call resumes it.
        """
        partial, actual = Partial(part), ""
        for _ in range(2):
            self._retry(url, lambda: self._transfer(url, partial), partial)
            actual = sha256(part)
            if digest in (None, actual):
                return partial.finish(target)
            log.warning("%s: sha256 is %s and should be %s", url, actual, digest)
            partial.drop()
        raise DataError(
            f"{url}: sha256 is {actual} and should be {digest}",
            allowed="the file that SHA256SUMS.txt or the table of published files lists",
            fix=f"the server's copy is damaged or was replaced; report it to the owner, and later {RERUN}",
        )

    def size(self, url: str) -> int | None:
        """Return the length of a file in bytes, or None if the server does not state it."""

        def request() -> int | None:
            with closing(self._connections.open("HEAD", url, {})) as response:
                _read(response)  # reach the end of the empty body, so that the connection stays open
                length = response.headers.get("Content-Length", "")
                return int(length) if length.isdigit() else None

        try:
            return self._retry(url, request)
        except DataError:
            return None

    def _retry(self, url: str, attempt: Callable[[], Result], partial: Partial | None = None) -> Result:
        """Call `attempt` until it succeeds; enough received bytes between two failures reset the count.

        urllib3.Retry is not used: it ends with the response headers, so it neither sees a body that breaks nor counts
        it with failures of the next request, and its pause cannot be interrupted.
        """
        failures = 0
        while True:
            self._check()
            before = partial.size if partial else 0
            try:
                return attempt()
            except TransientError as failure:
                received = partial.size - before if partial else 0
                failures = 1 if received >= self.policy.progress_bytes else failures + 1
                if failures >= self.policy.attempts:
                    raise Unavailable(f"{url}: {failure}, {failures} times in a row", fix=RERUN) from failure
                self._pause(url, failures, failure)

    def _pause(self, url: str, failures: int, failure: TransientError) -> None:
        if failure.wait > self.policy.retry_after_max:
            raise Unavailable(
                f"{url}: {failure} and asks for a pause of {failure.wait:.0f} s", fix=f"after that, {RERUN}"
            )
        longest = min(self.policy.backoff_max, self.policy.backoff * 2 ** (failures - 1))
        seconds = max(failure.wait, longest * random.uniform(0.5, 1.0))
        log.warning("%s: %s; next attempt in %.1f s", url, failure, seconds)
        self._stop.wait(seconds)

    def _transfer(self, url: str, partial: Partial) -> None:
        """Download the missing bytes of a file, or raise TransientError."""
        validator, total = partial.state()
        size = partial.size
        if size and size == total:
            return
        resumption = {"Range": f"bytes={size}-", "If-Range": validator} if size and validator else {}
        with closing(self._connections.open("GET", url, resumption)) as response:
            if resumption and response.status_code == HTTPStatus.PARTIAL_CONTENT:
                total = partial.resume(response)
            elif response.status_code == HTTPStatus.OK:
                total = partial.restart(response)
            else:
                partial.drop()
                raise TransientError(f"the server answers {response.status_code}")
            self._receive(response, partial.path)
        if total is not None and partial.size != total:
            raise TransientError(f"received {partial.size} of {total} bytes")

    def _receive(self, response: requests.Response, path: Path) -> None:
        """Append the body block by block, unbuffered, so that a kill loses at most one block."""
        with path.open("ab", buffering=0) as stream:
            while block := _read(response):
                try:
                    stream.write(block)
                except OSError as error:
                    raise DataError(f"{path}: {error.strerror}", fix=f"free space there, then {RERUN}") from error
                self.progress(len(block))
                self._check()

    def _check(self) -> None:
        if self._stop.is_set():
            raise Stopped


def _read(response: requests.Response) -> bytes:
    try:
        block: bytes = response.raw.read(BLOCK, decode_content=False)
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise TransientError(f"the connection broke ({type(error).__name__})") from error
    return block
