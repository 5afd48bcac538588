"""Owns fetching one file over HTTP: resumed where it stopped, tried again while that can help, checked, then named."""

import logging
import random
import threading
from collections.abc import Callable
from contextlib import closing
from http import HTTPStatus
from pathlib import Path

import requests
import urllib3

from cgdmer.acquisition.connection import Again, Connections, Policy
from cgdmer.acquisition.partial import Partial
from cgdmer.errors import DataError, Unavailable
from cgdmer.files import sha256

log = logging.getLogger(__name__)

AGAIN = "run the same command again: what is complete is kept, and a file goes on where it stopped"
BLOCK = 1 << 16


class Stopped(Exception):
    """The download was called off because another file failed; nothing is wrong with this one."""


class Client:
    """One download over several threads; `progress` is told the bytes of each block. A context manager."""

    def __init__(self, policy: Policy, progress: Callable[[int], object] = lambda size: None) -> None:
        self.policy, self.progress = policy, progress
        self._connections, self._stop = Connections(policy), threading.Event()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._connections.close()

    def stop(self) -> None:
        """End all pauses and transfers at their next block with Stopped."""
        self._stop.set()

    def fetch(self, url: str, target: Path, part: Path, digest: str | None = None) -> None:
        """Download to `part`, check, fsync and rename to `target`; a wrong sha256 is given one more try from zero.

        Errors: DataError when attempts are used up, the server refuses, or the sha256 stays wrong. `part` survives
        every other failure and the next call goes on where it stopped.
        """
        partial, found = Partial(part), ""
        for _ in range(2):
            self._persist(url, lambda: self._transfer(url, partial), partial)
            found = sha256(part)
            if digest in (None, found):
                return partial.finish(target)
            log.warning("%s: sha256 is %s, and should be %s", url, found, digest)
            partial.drop()
        raise DataError(
            f"{url}: sha256 is {found}, and should be {digest}",
            allowed="the file that SHA256SUMS.txt or the table of published files lists",
            fix=f"the server's copy is damaged or was replaced; tell its owner, and later {AGAIN}",
        )

    def size(self, url: str) -> int | None:
        """Return a file's length in bytes, or None where the server does not tell."""
        known: list[int | None] = []

        def ask() -> None:
            with closing(self._connections.open("HEAD", url, {})) as response:
                length = response.headers.get("Content-Length", "")
                known.append(int(length) if length.isdigit() else None)
                _read(response)  # the end of an empty body, so that the connection stays open

        try:
            self._persist(url, ask)
        except DataError:
            return None
        return known[0]

    def _persist(self, url: str, attempt: Callable[[], None], partial: Partial | None = None) -> None:
        """Call `attempt` until it succeeds; only failures in a row count, with little or no progress between them."""
        failures = 0
        while True:
            self._check()
            before = partial.size if partial else 0
            try:
                return attempt()
            except Again as failure:
                gained = partial.size - before if partial else 0
                failures = 1 if gained >= self.policy.progress else failures + 1
                if failures >= self.policy.attempts:
                    raise Unavailable(f"{url}: {failure}, {failures} times in a row", fix=AGAIN) from failure
                self._pause(url, failures, failure)

    def _pause(self, url: str, failures: int, failure: Again) -> None:
        if failure.wait > self.policy.patience:
            raise Unavailable(f"{url}: {failure}; it asks to wait {failure.wait:.0f} s", fix=f"after that, {AGAIN}")
        longest = min(self.policy.longest, self.policy.backoff * 2 ** (failures - 1))
        seconds = max(failure.wait, longest * random.uniform(0.5, 1.0))
        log.warning("%s: %s; next attempt in %.1f s", url, failure, seconds)
        self._stop.wait(seconds)

    def _transfer(self, url: str, partial: Partial) -> None:
        """Bring a file to its full length, or raise Again."""
        tag, total = partial.note()
        have = partial.size
        if have and have == total:
            return
        resumed = {"Range": f"bytes={have}-", "If-Range": tag} if have and tag else {}
        with closing(self._connections.open("GET", url, resumed)) as response:
            if resumed and response.status_code == HTTPStatus.PARTIAL_CONTENT:
                total = partial.resume(response)
            elif response.status_code == HTTPStatus.OK:
                total = partial.restart(response)
            else:
                partial.drop()
                raise Again(f"the server answers {response.status_code}")
            self._receive(response, partial.path)
        if total is not None and partial.size != total:
            raise Again(f"got {partial.size} of {total} bytes")

    def _receive(self, response: requests.Response, path: Path) -> None:
        """Append the body as it comes, unbuffered, so that a kill loses next to nothing."""
        with path.open("ab", buffering=0) as stream:
            while block := _read(response):
                try:
                    stream.write(block)
                except OSError as error:
                    raise DataError(f"{path}: {error.strerror}", fix=f"free space there, then {AGAIN}") from error
                self.progress(len(block))
                self._check()

    def _check(self) -> None:
        if self._stop.is_set():
            raise Stopped


def _read(response: requests.Response) -> bytes:
    try:
        block: bytes = response.raw.read(BLOCK, decode_content=False)
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise Again(f"the connection broke ({type(error).__name__})") from error
    return block
